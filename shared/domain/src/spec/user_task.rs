//! A benchmark of a user's own: the fields of a task file of lm-evaluation-harness, within a specification.
//!
//! What the fields mean is the evaluator's matter. Here is decided what may reach it: known fields, and no name that could
//! lead its reader out of the dataset's folder.

use serde_json::{Map, Value};

use crate::field_error::FieldErrors;

/// Characters of a task with its templates.
const LONGEST: usize = 64 << 10;

/// Fields of a task file that the evaluator reads.
const FIELDS: [&str; 28] = [
    "task",
    "task_alias",
    "tag",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "process_docs",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "process_results",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "fewshot_config",
    "num_fewshot",
    "metric_list",
    "output_type",
    "generation_kwargs",
    "repeats",
    "filter_list",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "gen_prefix",
];

/// Fields that name files, folders or parts of them.
const PATHS: [&str; 6] =
    ["dataset_path", "dataset_name", "training_split", "validation_split", "test_split", "fewshot_split"];

/// Checks the task that an entry names `name`.
pub(super) fn check(task: &Map<String, Value>, name: &str, field: &str, errors: &mut FieldErrors) {
    let size = Value::Object(task.clone()).to_string().len();
    errors.require(size <= LONGEST, field, format!("must be at most {LONGEST} characters of JSON"));
    for key in task.keys() {
        let message = match key.as_str() {
            "include" => "a task of your own includes no file: write its fields out",
            "group" => "is one task: name the tasks of a group one by one",
            "metadata" => continue,
            key if FIELDS.contains(&key) => continue,
            _ => "is no field of a task",
        };
        errors.push(format!("{field}.{key}"), message);
    }
    if let Some(given) = task.get("task") {
        errors.require(
            given.as_str() == Some(name),
            &format!("{field}.task"),
            "is named by the entry's `benchmark`",
        );
    }
    errors.require(
        task.contains_key("doc_to_text"),
        &format!("{field}.doc_to_text"),
        "is missing: a column, or a template such as `{{question}}`",
    );
    let mut path = |name: &str, value: Option<&Value>| {
        let plain = value.is_none_or(|value| value.as_str().is_some_and(is_plain));
        errors.require(plain, &format!("{field}.{name}"), "must be a plain name or path inside the dataset");
    };
    for key in PATHS {
        path(key, task.get(key));
    }
    let inner = |key: &str, inner: &str| task.get(key).and_then(|value| value.get(inner));
    path("fewshot_config.split", inner("fewshot_config", "split"));
    path("metadata.local", inner("metadata", "local"));
    match inner("dataset_kwargs", "data_files") {
        Some(Value::Object(files)) => {
            files.iter().for_each(|(split, file)| {
                path(&format!("dataset_kwargs.data_files.{split}"), Some(file));
            });
        }
        other => path("dataset_kwargs.data_files", other),
    }
}

/// A relative path of plain names.
fn is_plain(path: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_alphanumeric() || "-_. ".contains(c))
    };
    path.len() <= 255 && path.split('/').all(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(task: &Value) -> Vec<String> {
        let mut errors = FieldErrors::default();
        check(task.as_object().unwrap(), "mine", "task", &mut errors);
        errors.into_vec().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_task_of_known_fields_is_sound() {
        let task = json!({
            "task": "mine", "dataset_name": "law", "test_split": "test", "doc_to_text": "{{question}}",
            "doc_to_target": "answer", "process_docs": {"!function": "anneal.multiple_choice_docs"},
            "dataset_kwargs": {"data_files": {"test": "law/test.csv"}}, "metadata": {"version": 1, "local": "exam"},
        });
        assert_eq!(wrong(&task), [""; 0]);
    }

    #[test]
    fn nothing_leads_out_of_the_dataset_and_unknown_fields_are_named() {
        let task = json!({
            "task": "other", "include": "/etc/passwd", "group": "g", "doc_to_txt": "x", "dataset_name": "../..",
            "test_split": "/etc", "fewshot_config": {"split": "a/../../b"}, "metadata": {"local": ".hidden"},
            "dataset_kwargs": {"data_files": {"test": "../x.jsonl"}},
        });
        let mut wrong = wrong(&task);
        wrong.sort();
        assert_eq!(
            wrong,
            [
                "task.dataset_kwargs.data_files.test",
                "task.dataset_name",
                "task.doc_to_text",
                "task.doc_to_txt",
                "task.fewshot_config.split",
                "task.group",
                "task.include",
                "task.metadata.local",
                "task.task",
                "task.test_split",
            ]
        );
    }
}
