//! Finds the file of a split: in a folder as `datasets` saves it, in a folder of files named after splits, among the
//! folders of a collection of benchmarks, or beside a file of another split.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::TaskConfig;

/// Where one split's rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// A data file, or a folder of them.
    pub path: PathBuf,
    /// The split's name as the task calls it.
    pub split: String,
}

/// The split to evaluate, by preference: the task's test split, its validation split, and what an offline copy may have
/// in their place.
pub(super) fn evaluated(config: &TaskConfig, root: &Path) -> Option<Located> {
    let named = config.test_split.iter().chain(&config.validation_split);
    let any = ["test", "validation", "val"].map(str::to_owned);
    if root.is_file() {
        let split = named.clone().next().cloned().unwrap_or_else(|| "test".to_owned());
        return Some(Located { path: root.to_owned(), split });
    }
    // A task that names its files means these and no others.
    let names_files = config.dataset_kwargs.as_ref().is_some_and(|arguments| arguments.data_files.is_some());
    if names_files {
        return named.clone().find_map(|split| find(config, root, split));
    }
    let wanted: Vec<&String> = named.chain(&any).collect();
    wanted
        .iter()
        .find_map(|split| find(config, root, split))
        .or_else(|| only_file(root).map(|path| Located { path, split: wanted[0].clone() }))
}

/// Another split of the same dataset.
pub(super) fn find(config: &TaskConfig, root: &Path, split: &str) -> Option<Located> {
    let located = |path: PathBuf| Located { path, split: split.to_owned() };
    let named = data_file(config, split);
    if root.is_file() {
        let folder = root.parent().unwrap_or(Path::new("."));
        let beside = named.map(|name| folder.join(name)).filter(|path| path.exists());
        return beside.or_else(|| sibling(root, split)).map(located);
    }
    if let Some(name) = named {
        return Some(root.join(name)).filter(|path| path.exists()).map(located);
    }
    bases(config, root).iter().find_map(|base| in_folder(config, base, split)).map(located)
}

fn data_file<'a>(config: &'a TaskConfig, split: &str) -> Option<&'a str> {
    match config.dataset_kwargs.as_ref()?.data_files.as_ref()? {
        Value::String(name) => Some(name),
        Value::Object(files) => files.get(split)?.as_str(),
        _ => None,
    }
}

/// Folders that may hold the splits, nearest first.
fn bases(config: &TaskConfig, root: &Path) -> Vec<PathBuf> {
    let hint = config.metadata.as_ref().and_then(|metadata| metadata.get("local")).and_then(Value::as_str);
    let mut inner: Vec<String> = vec![String::new()];
    inner.extend(config.dataset_name.clone());
    if let Some(hint) = hint {
        inner.push(hint.to_owned());
        inner.extend(config.dataset_name.as_ref().map(|name| format!("{hint}/{name}")));
        inner.extend(hint.rsplit_once('/').map(|(_, last)| last.to_owned()));
    }
    inner.push("data".to_owned());
    inner.into_iter().map(|part| root.join(part)).filter(|base| base.is_dir()).collect()
}

fn spellings(split: &str) -> Vec<&str> {
    match split {
        "validation" | "val" | "valid" => vec!["validation", "val", "valid"],
        "train" | "training" => vec!["train", "training"],
        other => vec![other],
    }
}

fn in_folder(config: &TaskConfig, base: &Path, split: &str) -> Option<PathBuf> {
    let spellings = spellings(split);
    if let Some(folder) = spellings.iter().map(|name| base.join(name)).find(|path| path.is_dir()) {
        return Some(folder);
    }
    let matching: Vec<PathBuf> = files(base)
        .into_iter()
        .filter(|file| words(file).iter().any(|word| spellings.contains(&word.as_str())))
        .collect();
    if matching.len() <= 1 {
        return matching.into_iter().next();
    }
    // Several datasets share the folder: the file must carry the task's or the configuration's name.
    let names: Vec<String> = [Some(config.task.clone()), config.dataset_name.clone()]
        .into_iter()
        .flatten()
        .map(|name| name.to_lowercase().replace('-', "_"))
        .collect();
    let mut own = matching.into_iter().filter(|file| {
        let stem = stem(file);
        names.iter().any(|name| stem.starts_with(name.as_str()) || stem.contains(&format!("_{name}_")))
    });
    own.next().filter(|_| own.next().is_none())
}

/// The one data file of a folder that names no split at all.
fn only_file(root: &Path) -> Option<PathBuf> {
    let mut files = files(root).into_iter();
    files.next().filter(|_| files.next().is_none())
}

/// `…_val.jsonl` beside `…_dev.jsonl`: the file's name with its split's word replaced.
fn sibling(file: &Path, split: &str) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent()?;
    ["validation", "valid", "val", "test", "dev", "train"].iter().find_map(|word| {
        let at = name.rfind(word)?;
        spellings(split).iter().find_map(|other| {
            let renamed = format!("{}{other}{}", &name[..at], &name[at + word.len()..]);
            let path = folder.join(renamed);
            (path != file && path.is_file()).then_some(path)
        })
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    anneal_datasets::data_files(folder).unwrap_or_default()
}

fn stem(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().to_lowercase().replace('-', "_")).unwrap_or_default()
}

fn words(file: &Path) -> Vec<String> {
    stem(file).split(['_', '.']).map(str::to_owned).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> TaskConfig {
        serde_json::from_value(value).unwrap()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        folder
    }

    fn relative(folder: &tempfile::TempDir, located: Option<Located>) -> String {
        located.unwrap().path.strip_prefix(folder.path()).unwrap().display().to_string()
    }

    #[test]
    fn a_collection_of_benchmarks_is_searched_by_the_task_s_hint() {
        let arc = config(json!({"task": "arc_easy", "dataset_name": "ARC-Easy", "test_split": "test",
            "validation_split": "validation", "metadata": {"local": "ai2_arc/ARC-Easy"}}));
        let root = folder(&[
            "ai2_arc/ARC-Easy/validation/data-0.arrow",
            "ai2_arc/ARC-Challenge/validation/data-0.arrow",
        ]);
        let found = evaluated(&arc, root.path()).unwrap();
        assert_eq!(found.split, "validation", "the copy has no test split");
        assert_eq!(relative(&root, Some(found)), "ai2_arc/ARC-Easy/validation");
        assert_eq!(
            relative(&root, evaluated(&arc, &root.path().join("ai2_arc"))),
            "ai2_arc/ARC-Easy/validation"
        );
    }

    #[test]
    fn files_named_after_splits_are_told_apart_by_the_task() {
        let arc = config(json!({"task": "arc_easy", "dataset_name": "ARC-Easy", "test_split": "test"}));
        let root = folder(&["arc_easy_validation.jsonl", "arc_challenge_validation.jsonl", "README"]);
        assert_eq!(relative(&root, evaluated(&arc, root.path())), "arc_easy_validation.jsonl");
        let subject =
            config(json!({"task": "ceval-valid_law", "dataset_name": "law", "validation_split": "val"}));
        let root = folder(&["ceval_law_val.jsonl", "ceval_law_dev.jsonl", "ceval_logic_val.jsonl"]);
        assert_eq!(relative(&root, evaluated(&subject, root.path())), "ceval_law_val.jsonl");
        let file = root.path().join("ceval_law_val.jsonl");
        assert_eq!(relative(&root, find(&subject, &file, "dev")), "ceval_law_dev.jsonl");
        assert_eq!(find(&subject, &file, "train"), None);
    }

    #[test]
    fn named_files_come_first_and_a_single_file_stands_for_the_evaluated_split() {
        let named = config(json!({"task": "t", "test_split": "test",
            "dataset_kwargs": {"data_files": {"train": "b.jsonl", "test": "a.jsonl"}}}));
        let root = folder(&["a.jsonl", "b.jsonl"]);
        assert_eq!(relative(&root, evaluated(&named, root.path())), "a.jsonl");
        assert_eq!(relative(&root, find(&named, &root.path().join("a.jsonl"), "train")), "b.jsonl");
        let mine = config(json!({"task": "t", "test_split": "test"}));
        let missing = folder(&["b.jsonl", "other_test.jsonl"]);
        assert_eq!(evaluated(&named, missing.path()), None, "no other file stands in for a named one");
        let root = folder(&["mine.jsonl"]);
        assert_eq!(relative(&root, evaluated(&mine, root.path())), "mine.jsonl");
    }
}
