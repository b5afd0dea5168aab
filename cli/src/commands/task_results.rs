//! What a task measured and made.

use std::path::PathBuf;

use anneal_domain::id::TaskId;
use serde_json::Value;

use super::task::{LogFormat, TaskCommand};
use crate::{
    client::Api,
    failure::Failure,
    output::{Output, rows, sparkline},
};

pub(super) async fn run(command: TaskCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        TaskCommand::Metrics { task, names } => metrics(api, output, task, names).await,
        TaskCommand::Stages { task } => {
            let stages = api.get(&format!("tasks/{task}/stages"), &[]).await?;
            output.list(&stages, &["name", "state", "started_at", "finished_at"])
        }
        TaskCommand::Events { task } => {
            let events = api.get(&format!("tasks/{task}/events"), &[]).await?;
            output.list(&events, &["id", "time", "type", "epoch", "seq"])
        }
        TaskCommand::Artifacts { task } => {
            let artifacts = api.get(&format!("tasks/{task}/artifacts"), &[]).await?;
            output.list(&artifacts, &["role", "size_bytes", "manifest_sha256", "prefix"])
        }
        TaskCommand::Checkpoints { task } => {
            let checkpoints = api.get(&format!("tasks/{task}/checkpoints"), &[]).await?;
            output.list(&checkpoints, &["id", "step", "epoch", "size_bytes", "best", "created_at"])
        }
        TaskCommand::Curve { task } => {
            let curve = api.get(&format!("tasks/{task}/checkpoint-evaluations"), &[]).await?;
            output.list(&curve, &["step", "state", "evaluation", "failure"])
        }
        TaskCommand::Scores { task } => {
            let scores = api.get(&format!("tasks/{task}/scores"), &[]).await?;
            output.show(&scores)
        }
        TaskCommand::Samples { task, benchmark, outcome, page } => {
            let mut query = page.query();
            let filters = [("benchmark", benchmark), ("outcome", outcome)];
            query.extend(filters.into_iter().filter_map(|(key, value)| Some((key, value?))));
            let mut samples = api.get(&format!("tasks/{task}/samples"), &query).await?;
            if !output.is_json() {
                show_prompts(&mut samples);
            }
            output.list(&samples, &["doc_id", "prompt", "answer", "output", "pass"])
        }
        TaskCommand::StageLog { task, stage, format, output: to } => {
            stage_log(api, output, task, &stage, format, to).await
        }
        TaskCommand::Download { task, role, path, output: to } => {
            download(api, output, task, &role, path, to).await
        }
        _ => Err(Failure::Failed("this command shows no results".to_owned())),
    }
}

async fn metrics(api: &Api, output: &Output, task: TaskId, names: Option<String>) -> Result<(), Failure> {
    let query: Vec<_> = names.map(|names| ("names", names)).into_iter().collect();
    let answer = api.get(&format!("tasks/{task}/metrics"), &query).await?;
    if output.is_json() {
        return output.value(&answer);
    }
    let series = answer["series"].as_object().filter(|series| !series.is_empty());
    let Some(series) = series else { return output.text("nothing measured yet\n") };
    for (name, points) in series {
        let points = points.as_array().map(Vec::as_slice).unwrap_or_default();
        let values: Vec<Option<f64>> = points.iter().map(|point| point[1].as_f64()).collect();
        let last = points.last();
        let step = last.and_then(|point| point[0].as_u64()).unwrap_or_default();
        let value = last.map_or(&Value::Null, |point| &point[1]);
        output.text(&format!("{name:24} {}  {value} at step {step}\n", sparkline(&values, 50)))?;
    }
    Ok(())
}

/// A sample's prompt is the harness's nest of arguments: for people, the first text in it.
fn show_prompts(samples: &mut Value) {
    for sample in samples["data"].as_array_mut().into_iter().flatten() {
        if let Some(text) = first_text(&sample["prompt"]).map(str::to_owned) {
            sample["prompt"] = Value::String(text);
        }
    }
}

fn first_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => fields.values().find_map(first_text),
        _ => None,
    }
}

async fn stage_log(
    api: &Api,
    output: &Output,
    task: TaskId,
    stage: &str,
    format: LogFormat,
    to: Option<PathBuf>,
) -> Result<(), Failure> {
    let stages = api.get(&format!("tasks/{task}/stages"), &[]).await?;
    let Some(log) = latest_log(rows(&stages), stage) else {
        return Err(Failure::Failed(format!(
            "no log of a stage `{stage}` is kept yet: `anneal task logs --stage` shows what there is"
        )));
    };
    let (format, ending) = match format {
        LogFormat::Text => ("text", "log"),
        LogFormat::Json => ("json", "jsonl"),
    };
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{task}-{stage}.{ending}")));
    api.download(&format!("{log}?format={format}"), &to).await?;
    output.done(&format!("wrote {}", to.display()))
}

/// Where the log of the stage's latest run that has one lies, below `/api/v1/`.
fn latest_log<'a>(stages: &'a [Value], stage: &str) -> Option<&'a str> {
    let mut runs = stages.iter().rev().filter(|run| run["name"] == stage);
    runs.find_map(|run| run["log"].as_str()?.strip_prefix("/api/v1/"))
}

async fn download(
    api: &Api,
    output: &Output,
    task: TaskId,
    role: &str,
    path: Option<String>,
    to: Option<PathBuf>,
) -> Result<(), Failure> {
    let (from, own_name) = match &path {
        Some(path) => {
            let name = path.rsplit('/').next().unwrap_or("file").to_owned();
            (format!("tasks/{task}/artifacts/{role}/files/{path}"), name)
        }
        None => (format!("tasks/{task}/artifacts/{role}/archive"), format!("{task}-{role}.zip")),
    };
    let sound = !role.contains(['/', '?', '#', '%'])
        && path.as_ref().is_none_or(|path| !path.contains(['?', '#', '%']) && !path.contains(".."));
    if !sound {
        return Err(Failure::Invalid("a role or path has no `..`, `?`, `#` or `%`".to_owned()));
    }
    let to = to.unwrap_or_else(|| PathBuf::from(own_name));
    api.download(&from, &to).await?;
    output.done(&format!("wrote {}", to.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_log_is_that_of_the_latest_run_which_left_one() {
        let stages = [
            json!({"name": "train", "epoch": 1, "log": "/api/v1/tasks/t/stages/1/4/log"}),
            json!({"name": "train", "epoch": 2, "log": "/api/v1/tasks/t/stages/2/4/log"}),
            json!({"name": "train", "epoch": 3, "log": null}),
            json!({"name": "fetch", "epoch": 3}),
        ];
        assert_eq!(latest_log(&stages, "train"), Some("tasks/t/stages/2/4/log"));
        assert_eq!(latest_log(&stages, "fetch"), None);
    }

    #[test]
    fn a_prompt_is_shown_as_its_text() {
        let mut samples = json!({"data": [
            {"prompt": {"gen_args_0": {"arg_0": "Question: 1 + 1?", "arg_1": " 2"}}}, {"prompt": [7]},
        ]});
        show_prompts(&mut samples);
        assert_eq!(samples["data"], json!([{"prompt": "Question: 1 + 1?"}, {"prompt": [7]}]));
    }
}
