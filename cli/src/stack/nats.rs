//! The broker's configuration: JetStream on disk, and one user a service with what that service needs.

use std::fmt::Write;

use super::{StackError, files::Files, ports::Ports, secrets::Secrets};

/// The broker's users, named after the services.
pub(crate) const USERS: [&str; 6] = ["task-api", "billing", "trainer", "evaluator", "compiler", "inference"];

/// Writes `nats.conf`.
pub(crate) fn write(
    files: &Files,
    secrets: &Secrets,
    ports: &Ports,
    sync_interval: &str,
) -> Result<(), StackError> {
    let store = files.folder("nats")?;
    let mut text = format!(
        "listen: {listen:?}\nserver_name: \"anneal\"\nmax_payload: 4MB\n\
         jetstream {{\n  store_dir: \"{store}\"\n  sync_interval: {sync_interval}\n}}\n\
         authorization {{\n  users = [\n",
        listen = ports.nats.to_string(),
        store = store.display(),
    );
    for user in USERS {
        text.push_str(&entry(user, secrets.nats_password(user)));
    }
    text.push_str("  ]\n}\n");
    Files::write_private(&files.config("nats.conf"), &text)
}

fn entry(user: &str, password: &str) -> String {
    let (publish, subscribe) = permissions(user);
    let mut text = format!("    {{\n      user: {user:?}, password: {password:?}\n      permissions: {{\n");
    for (verb, subjects) in [("publish", publish), ("subscribe", subscribe)] {
        let list: Vec<String> = subjects.iter().map(|subject| format!("{subject:?}")).collect();
        // Writing to a String cannot fail.
        writeln!(text, "        {verb}: [{}]", list.join(", ")).ok();
    }
    text.push_str("        allow_responses: { max: 1, expires: \"10m\" }\n      }\n    }\n");
    text
}

/// What a user may publish and subscribe to.
fn permissions(user: &str) -> (Vec<String>, Vec<String>) {
    let mut publish = vec!["$JS.API.INFO".to_owned(), "deadletter.v1.>".to_owned()];
    let mut subscribe = vec!["_INBOX.>".to_owned()];
    let (says, hears): (&[&str], &[&str]) = match user {
        "task-api" => (
            &["task.v1.>", "event.v1.>", "usage.v1.>", "rpc.v1.billing.>", "notice.v1.>"],
            &["rpc.v1.task.>", "rpc.v1.deployment.>", "notice.v1.>"],
        ),
        "billing" => (&["rpc.v1.task.pause"], &["rpc.v1.billing.>"]),
        "inference" => (&["rpc.v1.deployment.>"], &["notice.v1.>"]),
        _ => (&["rpc.v1.task.>", "telemetry.v1.>"], &["notice.v1.>"]),
    };
    publish.extend(says.iter().map(|subject| (*subject).to_owned()));
    subscribe.extend(hears.iter().map(|subject| (*subject).to_owned()));
    for stream in streams(user) {
        for request in ["STREAM.CREATE", "STREAM.UPDATE", "STREAM.INFO"] {
            publish.push(format!("$JS.API.{request}.{stream}"));
        }
        publish.push(format!("$JS.ACK.{stream}.>"));
        publish.push(format!("$JS.FC.{stream}.>"));
        if user == "billing" && ["EVENTS", "USAGE"].contains(stream) {
            // The audit reads the whole stream through a consumer without a name.
            publish.push(format!("$JS.API.CONSUMER.CREATE.{stream}"));
        }
        for consumer in consumers(user, stream) {
            for request in ["CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT", "DELETE"] {
                publish.push(format!("$JS.API.CONSUMER.{request}.{stream}.{consumer}"));
            }
        }
    }
    (publish, subscribe)
}

fn streams(user: &str) -> &'static [&'static str] {
    match user {
        "task-api" | "billing" => &["TASKS", "EVENTS", "USAGE", "TELEMETRY", "DEADLETTER"],
        "inference" => &[],
        _ => &["TASKS", "TELEMETRY", "DEADLETTER"],
    }
}

/// Consumers of a stream that the user may make and read, as subject endings.
fn consumers(user: &str, stream: &str) -> Vec<String> {
    let kind = match user {
        "trainer" => "training",
        "evaluator" => "evaluation",
        "compiler" => "compilation",
        _ => "",
    };
    match (user, stream) {
        ("task-api", "EVENTS" | "TELEMETRY") | ("billing", "EVENTS" | "USAGE") => vec![">".to_owned()],
        ("trainer" | "evaluator" | "compiler", "TASKS") => ["fast", "turbo"]
            .iter()
            .flat_map(|pool| {
                let durable = format!("worker-{kind}-{pool}");
                [format!("{durable}.>"), durable]
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_cannot_speak_for_billing_or_take_anothers_tasks() {
        let (publish, subscribe) = permissions("trainer");
        assert!(publish.iter().any(|s| s == "$JS.API.CONSUMER.MSG.NEXT.TASKS.worker-training-fast"));
        let forbidden =
            ["usage.v1", "event.v1", "task.v1", "billing", "worker-evaluation", "EVENTS", "USAGE"];
        for word in forbidden {
            assert!(!publish.iter().chain(&subscribe).any(|s| s.contains(word)), "{word}");
        }
    }
}
