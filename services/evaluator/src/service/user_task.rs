//! A benchmark of a user's own on its way to the engine: its task file, written beside the output.

use std::{fs, path::Path};

use anneal_contracts::event::Failure;
use anneal_domain::spec::EvaluationDataset;
use serde_json::Value;

/// Where in the output folder the files are.
const TASKS: &str = "tasks";

/// What the engine calls an entry's benchmark: its name, or the task file that is written for it. JSON is YAML.
pub(super) fn name(dataset: &EvaluationDataset, place: usize, output: &Path) -> Result<String, Failure> {
    let Some(task) = &dataset.task else { return Ok(dataset.benchmark.clone()) };
    let mut task = task.clone();
    task.insert("task".to_owned(), Value::from(dataset.benchmark.as_str()));
    let folder = output.join(TASKS);
    let path = folder.join(format!("{place}.yaml"));
    let written =
        fs::create_dir_all(&folder).and_then(|()| fs::write(&path, Value::Object(task).to_string()));
    written.map_err(|error| Failure {
        code: "internal".to_owned(),
        field: Some(format!("spec.datasets[{place}].task")),
        message: format!("the task file cannot be written: {error}"),
    })?;
    Ok(path.to_string_lossy().into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::tasks::select;

    #[test]
    fn the_engine_reads_what_is_written_and_a_builtin_benchmark_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut entry: EvaluationDataset = serde_json::from_value(json!({
            "benchmark": "mine", "dataset": "ds-00000000000000000000000000000002",
            "task": {"test_split": "test", "doc_to_text": "{{question}}: \"=\"", "doc_to_target": "answer",
                     "process_docs": {"!function": "anneal.multiple_choice_docs"}},
        }))
        .unwrap();
        let path = name(&entry, 3, folder.path()).unwrap();
        let selection = select(&path, "tasks[3].name").unwrap();
        assert_eq!(selection.tasks[0].task, "mine");
        assert!(selection.tasks[0].process_docs.is_some());
        entry.task = None;
        assert_eq!(name(&entry, 3, folder.path()).unwrap(), "mine");
    }
}
