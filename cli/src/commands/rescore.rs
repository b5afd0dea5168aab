//! An evaluation's answers, scored again.

use std::path::Path;

use anneal_domain::id::TaskId;
use clap::Args;
use serde_json::{Value, json};

use super::{task::form, task_next::Created};
use crate::{client::Api, failure::Failure, output::Output};

/// An evaluation, and how it is scored now.
#[derive(Debug, Args)]
pub(crate) struct RescoreArguments {
    /// The evaluation.
    task: TaskId,
    /// Another definition of one of its benchmarks: a YAML or JSON file with the fields of a task file, such as
    /// `filter_list` and `metric_list`. Its prompts must be those of then.
    #[arg(long = "define", value_name = "NAME=FILE")]
    definitions: Vec<String>,
    #[command(flatten)]
    created: Created,
}

pub(super) async fn rescore(arguments: RescoreArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let RescoreArguments { task, definitions, created } = arguments;
    let mut spec = api.get(&format!("tasks/{task}"), &[]).await?["spec"].take();
    spec["rescore"] = json!(task);
    for definition in &definitions {
        let (name, file) = definition.split_once('=').ok_or_else(|| {
            Failure::Invalid(format!("{definition}: give a benchmark's name, `=` and a file"))
        })?;
        define(&mut spec, name, form(Path::new(file))?)?;
    }
    created.create(api, output, ("rescore", task), spec).await
}

/// Gives an entry another definition.
fn define(spec: &mut Value, name: &str, definition: Value) -> Result<(), Failure> {
    let own = |entry: &Value| entry["alias"].as_str().or(entry["benchmark"].as_str()) == Some(name);
    let mut entries = spec["datasets"].as_array_mut().into_iter().flatten();
    let entry = entries.find(|entry| own(entry));
    let entry = entry
        .ok_or_else(|| Failure::Invalid(format!("the evaluation has no benchmark or alias `{name}`")))?;
    entry["task"] = definition;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_definition_goes_to_the_entry_of_its_name() {
        let mut spec = json!({"datasets": [{"benchmark": "gsm8k"}, {"benchmark": "gsm8k", "alias": "mine"}]});
        define(&mut spec, "mine", json!({"doc_to_text": "q"})).unwrap();
        assert_eq!(spec["datasets"][1]["task"], json!({"doc_to_text": "q"}));
        assert_eq!(spec["datasets"][0].get("task"), None);
        assert_eq!(define(&mut spec, "piqa", json!({})).map_err(|error| error.exit_code()), Err(2));
    }
}
