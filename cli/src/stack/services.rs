//! What each service is told, and in which order they start.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{StackError, UpOptions, files::Files, health::Probe, ports::Ports, secrets::Secrets};

/// A child of the stack.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Its name: that of its log, its configuration file and its process id in the ready file.
    pub(crate) name: &'static str,
    /// Its program.
    pub(crate) program: &'static str,
    /// What it is started with; `{name}` stands for a path of the data folder.
    pub(crate) arguments: Vec<Argument>,
    /// Its environment beyond ours.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// How to tell that it is ready.
    pub(crate) probe: Probe,
}

/// An argument of a child.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    /// As it is.
    Text(String),
    /// The path of a configuration file.
    Config(&'static str),
    /// The path of a folder of its own.
    Folder(&'static str),
}

const WORKERS: [(&str, &str); 3] =
    [("trainer", "anneal-trainer"), ("evaluator", "anneal-evaluator"), ("compiler", "anneal-compiler")];

/// Services by stage: a stage starts once everything of the one before is ready.
pub(crate) fn stages(secrets: &Secrets, ports: &Ports) -> Vec<Vec<Service>> {
    let text = |text: &str| Argument::Text(text.to_owned());
    let nats = Service {
        name: "nats-server",
        program: "nats-server",
        arguments: vec![text("-c"), Argument::Config("nats.conf")],
        environment: vec![],
        probe: Probe::Greeting(ports.nats),
    };
    let objects = Service {
        name: "objects",
        program: "anneal-objects",
        arguments: vec![
            text("--root"),
            Argument::Folder("objects"),
            text("--listen"),
            text(&ports.objects.to_string()),
        ],
        environment: vec![
            ("ANNEAL_OBJECTS_ACCESS_KEY", secrets.objects_access_key.clone()),
            ("ANNEAL_OBJECTS_SECRET_KEY", secrets.objects_secret_key.clone()),
        ],
        probe: Probe::Listens(ports.objects),
    };
    let billing = served("billing", "anneal-billing", "billing.toml", Probe::Says("ready"));
    let api = served("task-api", "anneal-task-api", "task-api.toml", Probe::Healthy(ports.api));
    let inference =
        served("inference", "anneal-inference", "inference.toml", Probe::Healthy(ports.inference));
    let workers = [
        served("trainer", "anneal-trainer", "trainer.toml", Probe::Says("ready")),
        served("evaluator", "anneal-evaluator", "evaluator.toml", Probe::Says("ready")),
        served("compiler", "anneal-compiler", "compiler.toml", Probe::Says("ready")),
        inference,
    ];
    vec![vec![nats, objects], vec![billing], vec![api], workers.to_vec()]
}

fn served(name: &'static str, program: &'static str, config: &'static str, probe: Probe) -> Service {
    let text = |text: &str| Argument::Text(text.to_owned());
    let arguments = vec![text("serve"), text("--config"), Argument::Config(config)];
    Service { name, program, arguments, environment: vec![], probe }
}

/// Writes every service's configuration file.
pub(crate) fn write(
    files: &Files,
    secrets: &Secrets,
    ports: &Ports,
    options: &UpOptions,
) -> Result<(), StackError> {
    let put = |name: &str, settings: Value| {
        Files::write_private(&files.config(&format!("{name}.toml")), &toml(&settings))
    };
    let nats = |user: &str| json!({ "url": format!("nats://{}", ports.nats), "user": user, "password": secrets.nats_password(user) });
    let objects = json!({
        "endpoint": format!("http://{}", ports.objects),
        "access_key": secrets.objects_access_key,
        "secret_key": secrets.objects_secret_key,
    });
    put("billing", json!({ "database": { "url": files.database("billing") }, "nats": nats("billing") }))?;
    let mut api = json!({
        "listen": ports.api.to_string(),
        "bootstrap_key": secrets.admin_key,
        "inference_url": format!("http://{}", ports.inference),
        "work_dir": files.folder("work/task-api")?,
        "database": { "url": files.database("task-api") },
        "nats": nats("task-api"),
        "objects": objects,
    });
    if let Some(console) = console(options) {
        api["console_dir"] = json!(console);
    }
    put("task-api", api)?;
    let onnxruntime = onnxruntime(&options.parts);
    for (name, _) in WORKERS {
        let mut worker = json!({
            "work_dir": files.folder(&format!("work/{name}"))?,
            "threads": options.threads,
            "nats": nats(name),
            "objects": objects,
        });
        if let Some(library) = &onnxruntime {
            worker["onnxruntime"] = json!(library);
        }
        put(name, worker)?;
    }
    let mut inference = json!({
        "listen": ports.inference.to_string(),
        "work_dir": files.folder("work/inference")?,
        "threads": options.threads,
        "nats": nats("inference"),
        "objects": objects,
    });
    if let Some(library) = &onnxruntime {
        inference["onnxruntime"] = json!(library);
    }
    put("inference", inference)
}

fn console(options: &UpOptions) -> Option<PathBuf> {
    let given = options.console.clone().unwrap_or_else(|| PathBuf::from("services/console/dist"));
    given.join("index.html").is_file().then(|| given.canonicalize().ok()).flatten()
}

fn onnxruntime(parts: &Path) -> Option<PathBuf> {
    parts.join("onnxruntime/libonnxruntime.so").canonicalize().ok()
}

/// Settings as TOML: plain keys first, then one table a section. A JSON string is a TOML string.
fn toml(settings: &Value) -> String {
    let mut plain = String::new();
    let mut sections = String::new();
    for (key, value) in settings.as_object().into_iter().flatten() {
        match value {
            Value::Object(section) => {
                sections.extend(["\n[", key, "]\n"]);
                for (key, value) in section {
                    sections.extend([key, " = ", &value.to_string(), "\n"]);
                }
            }
            value => plain.extend([key, " = ", &value.to_string(), "\n"]),
        }
    }
    plain + &sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_follow_plain_keys() {
        let text = toml(&json!({ "a": { "x": "q\"uote" }, "b": 3 }));
        assert_eq!(text, "b = 3\n\n[a]\nx = \"q\\\"uote\"\n");
    }
}
