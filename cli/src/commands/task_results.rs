//! What a task measured and made.

use std::path::PathBuf;

use anneal_domain::id::TaskId;
use serde_json::Value;

use super::task::TaskCommand;
use crate::{
    client::Api,
    failure::Failure,
    output::{Output, sparkline},
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
        TaskCommand::Scores { task } => {
            let scores = api.get(&format!("tasks/{task}/scores"), &[]).await?;
            output.show(&scores)
        }
        TaskCommand::Samples { task, benchmark, outcome, page } => {
            let mut query = page.query();
            let filters = [("benchmark", benchmark), ("outcome", outcome)];
            query.extend(filters.into_iter().filter_map(|(key, value)| Some((key, value?))));
            let samples = api.get(&format!("tasks/{task}/samples"), &query).await?;
            output.list(&samples, &["benchmark", "index", "prompt", "answer", "output", "score"])
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
