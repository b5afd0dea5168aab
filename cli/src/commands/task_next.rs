//! What follows a task: its model is evaluated, or compiled.

use anneal_domain::id::{DatasetId, TaskId};
use clap::Args;
use serde_json::{Value, json};

use super::task::submit;
use crate::{client::Api, failure::Failure, output::Output};

/// An evaluation of the model that a task made.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// The task whose model is scored.
    task: TaskId,
    /// A benchmark by its name, with its rows: `arc_easy=ds-…`. Without `=`, the newest dataset of that name is taken.
    #[arg(long = "benchmark", required = true, value_name = "NAME[=DATASET]")]
    benchmarks: Vec<String>,
    /// Examples in each prompt; the benchmark's own number when absent.
    #[arg(long)]
    num_fewshot: Option<u32>,
    /// Score the first rows of each benchmark only.
    #[arg(long, value_name = "ROWS")]
    limit: Option<u32>,
    /// Look for the scored rows in the data that the model was made from.
    #[arg(long)]
    leak_check: bool,
    /// Wrap each prompt in the model's chat template.
    #[arg(long)]
    apply_chat_template: bool,
    #[command(flatten)]
    created: Created,
}

/// A compilation of the model that a task scored or made.
#[derive(Debug, Args)]
pub(crate) struct CompileArguments {
    /// The evaluation, or the task that made the model.
    task: TaskId,
    /// `int8` or `fp16`.
    #[arg(long)]
    quantization: String,
    /// Calibration text of `int8`: `c4`, `ceval`, or a dataset's id.
    #[arg(long)]
    calibration: Option<String>,
    /// The device class that will run it, such as `onnxruntime-cpu`.
    #[arg(long)]
    target: Option<String>,
    /// Largest accepted perplexity of the compiled model over that of its source.
    #[arg(long)]
    max_perplexity_ratio: Option<f64>,
    #[command(flatten)]
    created: Created,
}

/// What every task that is created has.
#[derive(Debug, Args)]
pub(crate) struct Created {
    /// Its name; made from the other task's when absent.
    #[arg(long)]
    name: Option<String>,
    /// Stay until it has ended or is paused; exit code 5 when it did not succeed.
    #[arg(long)]
    wait: bool,
}

/// Longest name that is made from another, in characters.
const LONGEST_NAME: usize = 120;

impl Created {
    /// Creates the task; its name is made of the other task's and what happens to it.
    pub(super) async fn create(
        &self,
        api: &Api,
        output: &Output,
        (what, of): (&str, TaskId),
        spec: Value,
    ) -> Result<(), Failure> {
        let name = if let Some(name) = &self.name {
            name.clone()
        } else {
            let other = api.get(&format!("tasks/{of}"), &[]).await?;
            let name = format!("{what} {}", other["name"].as_str().unwrap_or_default());
            name.chars().take(LONGEST_NAME).collect()
        };
        submit(api, output, &json!({ "name": name, "spec": spec }), self.wait).await
    }
}

pub(super) async fn evaluate(
    arguments: EvaluateArguments,
    api: &Api,
    output: &Output,
) -> Result<(), Failure> {
    let mut datasets = Vec::with_capacity(arguments.benchmarks.len());
    for named in &arguments.benchmarks {
        let (benchmark, dataset) = match named.split_once('=') {
            Some((benchmark, dataset)) => (benchmark, dataset_of(dataset)?),
            None => (named.as_str(), newest(api, named).await?),
        };
        datasets.push(json!({
            "benchmark": benchmark, "dataset": dataset, "num_fewshot": arguments.num_fewshot, "limit": arguments.limit,
        }));
    }
    let spec = json!({
        "kind": "evaluation", "model": { "task": arguments.task }, "datasets": datasets,
        "apply_chat_template": arguments.apply_chat_template, "leak_check": arguments.leak_check,
    });
    arguments.created.create(api, output, ("evaluate", arguments.task), spec).await
}

pub(super) async fn compile(arguments: CompileArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let mut spec = json!({
        "kind": "compilation", "model": { "task": arguments.task }, "quantization": arguments.quantization,
    });
    if let Some(calibration) = &arguments.calibration {
        spec["calibration"] = calibration_of(calibration)?;
    }
    if let Some(target) = &arguments.target {
        spec["target"] = json!(target);
    }
    if let Some(ratio) = arguments.max_perplexity_ratio {
        spec["max_perplexity_ratio"] = json!(ratio);
    }
    arguments.created.create(api, output, ("compile", arguments.task), spec).await
}

fn dataset_of(text: &str) -> Result<DatasetId, Failure> {
    text.parse().map_err(|error| Failure::Invalid(format!("{text}: {error}")))
}

/// A registered set goes by its name, a dataset by its id.
fn calibration_of(text: &str) -> Result<Value, Failure> {
    match text {
        "c4" | "ceval" => Ok(json!(text)),
        id => Ok(json!({ "dataset": dataset_of(id)? })),
    }
}

/// The newest dataset of this name.
async fn newest(api: &Api, name: &str) -> Result<DatasetId, Failure> {
    let mut query = vec![("limit", "100".to_owned())];
    loop {
        let page = api.get("datasets", &query).await?;
        let mut rows = page["data"].as_array().into_iter().flatten();
        if let Some(found) = rows.find(|row| row["name"] == name) {
            return dataset_of(found["id"].as_str().unwrap_or_default());
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            return Err(Failure::Invalid(format!(
                "there is no dataset named `{name}`: say which rows to score, as `--benchmark {name}=ds-…`"
            )));
        };
        query = vec![("limit", "100".to_owned()), ("cursor", cursor.to_owned())];
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn calibration_is_a_registered_set_or_a_dataset() {
        assert_eq!(calibration_of("c4").unwrap(), "c4");
        let id = "ds-00000000000000000000000000000001";
        assert_eq!(calibration_of(id).unwrap(), json!({ "dataset": id }));
        assert_eq!(calibration_of("c5").map_err(|error| error.exit_code()), Err(2));
    }
}
