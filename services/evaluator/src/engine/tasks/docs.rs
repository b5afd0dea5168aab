//! Loads the rows of a task: the evaluated split, and the split of the examples where examples are asked for.

use std::collections::BTreeSet;
use std::path::Path;

use anneal_datasets::{Kind, Reader};
use serde_json::{Map, Value, json};

use super::config::{OutputType, TaskConfig};
use super::functions::Row;
use super::naming::configuration;
use super::splits::{self, Located};
use super::task::{Doc, Task};
use crate::engine::error::{Error, Result};

/// Subjects that a message names.
const SUBJECTS_NAMED: usize = 5;

/// A row that cannot be used, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Row number, from 1.
    pub row: usize,
    /// Line of its file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// A task, and the rows that cannot be part of it.
pub struct Loaded {
    /// The task with the rows that can be read.
    pub task: Task,
    /// Rows of the evaluated split that cannot be read.
    pub bad: Vec<BadRow>,
    /// Rows of the examples' split that cannot be read.
    pub bad_examples: Vec<BadRow>,
}

/// Loads a task's rows from a file or folder. Rows that cannot be read are returned apart.
pub fn load(config: TaskConfig, dataset: &Path, num_fewshot: usize) -> Result<Loaded> {
    if !dataset.exists() {
        return Err(Error::dataset(dataset, "no such file or folder"));
    }
    let located =
        splits::evaluated(&config, dataset).ok_or_else(|| no_split(&config, dataset, "to evaluate"))?;
    let (docs, bad) = read(&config, &located)?;
    if docs.is_empty() && bad.is_empty() {
        return Err(Error::dataset(&located.path, "there are no rows"));
    }
    let (fewshot_docs, bad_examples) = if num_fewshot == 0 {
        (Vec::new(), Vec::new())
    } else {
        examples(&config, dataset, &located, &docs)?
    };
    let task = Task::new(config, docs, fewshot_docs, located.split)?;
    Ok(Loaded { task, bad, bad_examples })
}

fn no_split(config: &TaskConfig, dataset: &Path, purpose: &str) -> Error {
    let wanted: Vec<&str> =
        config.test_split.iter().chain(&config.validation_split).map(String::as_str).collect();
    let files = config.dataset_kwargs.as_ref().and_then(|arguments| arguments.data_files.as_ref());
    let named = files.map(|files| format!(" (the task names the files {files})")).unwrap_or_default();
    let carrying = configuration(config)
        .map(|name| format!(" that carries the name `{name}` or `{}`", config.task))
        .unwrap_or_default();
    let message = format!(
        "no split {purpose} of task {}: expected a folder or file{carrying} named after {}{named}",
        config.task,
        if wanted.is_empty() {
            "`test` or `validation`".to_owned()
        } else {
            format!("`{}`", wanted.join("` or `"))
        }
    );
    Error::dataset(dataset, message)
}

/// `fewshot_docs`: the few-shot split, or the training, validation, test split that the task has.
fn examples(
    config: &TaskConfig,
    dataset: &Path,
    evaluated: &Located,
    docs: &[Doc],
) -> Result<(Vec<Doc>, Vec<BadRow>)> {
    let shots = config.fewshot_config.as_ref();
    let named = shots.and_then(|shots| shots.split.as_ref()).or(config.fewshot_split.as_ref());
    if let (None, Some(samples)) = (named, shots.and_then(|shots| shots.samples.as_ref())) {
        let docs = samples.iter().enumerate().map(|(at, row)| Doc::new(row.clone(), at + 1, at as u64 + 1));
        return Ok((docs.collect(), Vec::new()));
    }
    let split = named
        .or(config.training_split.as_ref())
        .or(config.validation_split.as_ref())
        .or(config.test_split.as_ref());
    let Some(split) = split.filter(|split| **split != evaluated.split) else {
        return Ok((docs.to_vec(), Vec::new()));
    };
    let located = splits::find(config, dataset, split).ok_or_else(|| {
        let message = format!(
            "task {} takes its examples from split `{split}`, which is not there; set num_fewshot to 0 or add the split",
            config.task
        );
        Error::dataset(dataset, message)
    })?;
    read(config, &located)
}

/// A row as it comes from the file, with its line.
type RawRow = (u64, std::result::Result<Row, String>);

fn read(config: &TaskConfig, located: &Located) -> Result<(Vec<Doc>, Vec<BadRow>)> {
    let kind = match config.output_type {
        OutputType::ConversationLoss => Kind::Sft,
        _ => Kind::Evaluation,
    };
    let reader = Reader::open(&located.path, Some(kind), None)
        .map_err(|error| Error::dataset(&located.path, error.to_string()))?;
    let mut rows: Vec<RawRow> = Vec::new();
    for item in reader {
        match item {
            Ok((line, row)) => rows.push((line, Ok(columns(row)))),
            Err(error) if error.fatal => return Err(Error::dataset(&located.path, error.to_string())),
            Err(error) => rows.push((error.line, Err(error.to_string()))),
        }
    }
    keep_subject(config, located, &mut rows)?;
    unify(&mut rows);
    let (mut docs, mut bad) = (Vec::new(), Vec::new());
    for (index, (line, row)) in rows.into_iter().enumerate() {
        let row = row.and_then(|row| match &config.process_docs {
            Some(name) => name.function.process_row(row),
            None => Ok(row),
        });
        match row {
            Ok(fields) => docs.push(Doc::new(fields, index + 1, line)),
            Err(reason) => bad.push(BadRow { row: index + 1, line, reason }),
        }
    }
    Ok((docs, bad))
}

fn columns(row: anneal_datasets::Row) -> Row {
    use anneal_datasets::Row as Typed;
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    match row {
        Typed::Record(fields) => fields,
        Typed::Text(text) => object(json!({"text": text})),
        Typed::PromptCompletion { prompt, completion } => {
            object(json!({"prompt": prompt, "completion": completion}))
        }
        Typed::Chat(chat) => serde_json::to_value(&chat).map(object).unwrap_or_default(),
        Typed::Preference(pair) => serde_json::to_value(&pair).map(object).unwrap_or_default(),
    }
}

/// A file of many subjects (`subject` column) stands for each of them: only the task's own rows stay, and those whose
/// subject cannot be told, which are bad. Rows that nothing shows to be the subject's own are refused.
fn keep_subject(config: &TaskConfig, located: &Located, rows: &mut Vec<RawRow>) -> Result<()> {
    let Some(subject) = configuration(config) else { return Ok(()) };
    let told: BTreeSet<String> = rows.iter().filter_map(|(_, row)| subject_of(row)).collect();
    if told.contains(subject) {
        rows.retain(|(_, row)| subject_of(row).is_none_or(|told| told == subject));
        for (_, row) in rows.iter_mut() {
            if subject_of(row).is_none() && row.is_ok() {
                *row = Err("the row has no `subject`, and the file holds several subjects".to_owned());
            }
        }
        return Ok(());
    }
    let nothing_read = rows.iter().all(|(_, row)| row.is_err());
    if located.own || nothing_read || (told.is_empty() && !config.subject) {
        return Ok(());
    }
    let seen = if told.is_empty() {
        "there is no column `subject`".to_owned()
    } else {
        let names: Vec<&str> = told.iter().take(SUBJECTS_NAMED).map(String::as_str).collect();
        format!("column `subject` has {}", names.join(", "))
    };
    let message = format!(
        "nothing shows which rows are {subject}'s, which task {} asks for: {seen}, and no file or folder is named {subject}",
        config.task
    );
    Err(Error::dataset(&located.path, message))
}

fn subject_of(row: &std::result::Result<Row, String>) -> Option<String> {
    row.as_ref().ok()?.get("subject")?.as_str().map(str::to_owned)
}

/// Every row gets every column, as a table has them: what a row lacks is null.
fn unify(rows: &mut [RawRow]) {
    let mut all: Map<String, Value> = Map::new();
    for (_, row) in rows.iter() {
        for key in row.iter().flat_map(Map::keys) {
            if !all.contains_key(key) {
                all.insert(key.clone(), Value::Null);
            }
        }
    }
    for (_, row) in rows.iter_mut() {
        if let Ok(fields) = row
            && (fields.len() != all.len() || !fields.keys().eq(all.keys()))
        {
            let mut full = all.clone();
            full.extend(std::mem::take(fields));
            *fields = full;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn config(value: Value) -> TaskConfig {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn rows_share_their_columns_and_keep_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(&folder, "rows.jsonl", "{\"q\": \"a\"}\n\n{\"q\": \"b\", \"hint\": \"h\"}\n");
        let Loaded { task, bad, .. } =
            load(config(json!({"task": "t", "doc_to_text": "q", "doc_to_target": "q"})), &file, 0).unwrap();
        assert!(bad.is_empty());
        assert_eq!(task.docs[0].fields["hint"], Value::Null);
        assert_eq!(task.docs.iter().map(|doc| doc.line).collect::<Vec<_>>(), [1, 3]);
    }

    fn logic() -> TaskConfig {
        let yaml = json!({"task": "ceval-valid_logic", "dataset_name": "logic", "validation_split": "val",
            "fewshot_split": "dev", "doc_to_text": "q", "doc_to_target": "q"});
        TaskConfig { subject: true, ..config(yaml) }
    }

    #[test]
    fn one_file_of_many_subjects_is_filtered() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "{\"subject\": \"law\", \"q\": \"1\"}\n{\"subject\": \"logic\", \"q\": \"2\"}\n";
        write(&folder, "val.jsonl", rows);
        write(&folder, "dev.jsonl", rows);
        let task = load(logic(), folder.path(), 1).unwrap().task;
        assert_eq!((task.docs.len(), task.fewshot_docs.len()), (1, 1));
        assert_eq!(task.docs[0].fields["q"], "2");
    }

    #[test]
    fn a_row_whose_subject_cannot_be_told_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "{\"subject\": \"law\", \"q\": \"1\"}\n{broken\n{\"subject\": \"logic\", \"q\": \"2\"}\n{\"q\": \"3\"}\n";
        write(&folder, "val.jsonl", rows);
        let loaded = load(logic(), folder.path(), 0).unwrap();
        assert_eq!(loaded.task.docs.len(), 1);
        assert_eq!(loaded.bad.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn rows_that_nothing_shows_to_be_the_subject_s_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |file: &Path| load(logic(), file, 0).err().unwrap().to_string();
        let other = write(&folder, "val.jsonl", "{\"subject\": \"law\", \"q\": \"1\"}\n");
        assert!(refused(&other).contains("column `subject` has law"), "{}", refused(&other));
        let none = write(&folder, "rows.jsonl", "{\"q\": \"1\"}\n");
        assert!(refused(&none).contains("no column `subject`"), "{}", refused(&none));
        let named = write(&folder, "logic_val.jsonl", "{\"q\": \"1\"}\n");
        assert_eq!(load(logic(), &named, 0).unwrap().task.docs.len(), 1);
    }

    #[test]
    fn bad_rows_are_told_by_number_and_a_missing_example_split_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(
            &folder,
            "val.jsonl",
            "{\"question\": \"?\", \"choices\": [\"a\", \"b\"], \"answer\": 0}\n{\"question\": \"?\"}\n",
        );
        let yaml = json!({"task": "t", "process_docs": {"!function": "anneal.multiple_choice_docs"},
            "validation_split": "val", "fewshot_split": "dev", "doc_to_text": "question", "doc_to_target": "gold"});
        let Loaded { task, bad, .. } = load(config(yaml.clone()), &file, 0).unwrap();
        assert_eq!((task.docs.len(), bad.len()), (1, 1));
        assert_eq!((bad[0].row, bad[0].line), (2, 2));
        assert!(bad[0].reason.contains("choices"), "{}", bad[0].reason);
        let error = load(config(yaml), &file, 2).err().unwrap().to_string();
        assert!(error.contains("split `dev`"), "{error}");
    }
}
