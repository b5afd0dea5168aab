//! The main job, step by step.

mod bill;
mod chat;
mod compile;
mod earlier;
mod evaluate;
mod train;
mod upload;

use std::path::Path;

use anneal_runtime::CancellationToken;
use anyhow::Result;
use serde_json::Value;

use crate::{
    api::Api,
    data,
    report::Report,
    show::fact,
    stack::{Setup, Stack, on_stack},
};

/// Runs every step; the report is written and the stack is stopped whatever happens.
pub(crate) async fn run(folder: &Path, parts: &Path, interrupted: &CancellationToken) -> Result<()> {
    let mut report = Report::begin(folder)?;
    let setup = Setup { folder, parts, without: &[] };
    let outcome =
        on_stack(&setup, interrupted, async |stack| steps(stack, folder, parts, &mut report).await).await;
    let written = report.write(&outcome);
    fact("report", &report.path().display().to_string());
    outcome.and(written)
}

async fn steps(stack: &Stack, folder: &Path, parts: &Path, report: &mut Report) -> Result<()> {
    fact("console and API", &stack.url);
    let api = Api::new(&stack.url, &stack.key)?;
    earlier::clear(&api).await?;
    let files = data::prepare(&folder.join("data"), parts)?;
    let inputs = upload::run(&api, &files, parts).await?;
    let tuned = train::run(&api, &inputs, report).await?;
    let evaluations = evaluate::run(&api, &inputs, &tuned, report).await?;
    let compiled = compile::run(&api, &inputs, &tuned, report).await?;
    chat::run(&api, &compiled, report).await?;
    let mut tasks = vec![tuned.task, compiled.task];
    tasks.extend(evaluations);
    bill::run(&api, &tasks, report).await
}

/// A model and the task that made it.
struct Made {
    model: String,
    task: String,
}

/// Quotes a task, launches it and watches it to its end.
async fn launch(api: &Api, name: &str, spec: Value) -> Result<Value> {
    let body = serde_json::json!({"name": name, "spec": spec});
    let quote = api.post("/api/v1/tasks/quote", &body).await?;
    let (low, high, hold) =
        (&quote["low_microcredits"], &quote["high_microcredits"], &quote["hold_microcredits"]);
    fact("quote", &format!("{low} to {high} µcr, {hold} to be held"));
    let task = api.post("/api/v1/tasks", &body).await?;
    let id = text(&task, "id")?;
    crate::show::watch(api, &id).await
}

/// A text field of an answer.
fn text(value: &Value, key: &str) -> Result<String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no `{key}` in {value}"))
}

/// A number of an answer.
fn number(value: &Value, path: &[&str]) -> Result<f64> {
    let found = path.iter().fold(value, |value, key| &value[*key]);
    found.as_f64().ok_or_else(|| anyhow::anyhow!("no number at {} in {value}", path.join(".")))
}
