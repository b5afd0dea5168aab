//! Finds the file of a split: in a folder as `datasets` saves it, in a folder of files named after splits, among the
//! folders of a collection of benchmarks, or beside a file of another split.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::TaskConfig;
use super::naming::{Names, configuration, is_neutral, words_of};

/// Where one split's rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// A data file, or a folder of them.
    pub path: PathBuf,
    /// The split's name as the task calls it.
    pub split: String,
    /// The file or a folder around it carries the configuration's name: its rows are the configuration's own.
    pub own: bool,
}

/// A folder that may hold splits.
struct Base {
    path: PathBuf,
    own: bool,
}

/// The split to evaluate, by preference: the task's test split, its validation split, and what an offline copy may have
/// in their place.
pub(super) fn evaluated(config: &TaskConfig, root: &Path) -> Option<Located> {
    let named = config.test_split.iter().chain(&config.validation_split);
    let any = ["test", "validation", "val"].map(str::to_owned);
    if root.is_file() {
        let split = named.clone().next().cloned().unwrap_or_else(|| "test".to_owned());
        return Some(Located { path: root.to_owned(), split, own: is_own(config, root) });
    }
    // A task that names its files means these and no others.
    let names_files = config.dataset_kwargs.as_ref().is_some_and(|arguments| arguments.data_files.is_some());
    if names_files {
        return named.clone().find_map(|split| find(config, root, split));
    }
    let wanted: Vec<&String> = named.chain(&any).collect();
    wanted.iter().find_map(|split| find(config, root, split)).or_else(|| {
        only_file(root).map(|path| Located { own: is_own(config, &path), path, split: wanted[0].clone() })
    })
}

/// Another split of the same dataset.
pub(super) fn find(config: &TaskConfig, root: &Path, split: &str) -> Option<Located> {
    let named = data_file(config, split);
    let given = |path: PathBuf| Located { path, split: split.to_owned(), own: true };
    if root.is_file() {
        let folder = root.parent().unwrap_or(Path::new("."));
        let beside = named.map(|name| folder.join(name)).filter(|path| path.exists());
        return beside.map(given).or_else(|| {
            sibling(root, split).map(|path| Located {
                own: is_own(config, &path),
                path,
                split: split.to_owned(),
            })
        });
    }
    if let Some(name) = named {
        return Some(root.join(name)).filter(|path| path.exists()).map(given);
    }
    bases(config, root).iter().find_map(|base| in_folder(config, base, split))
}

fn data_file<'a>(config: &'a TaskConfig, split: &str) -> Option<&'a str> {
    match config.dataset_kwargs.as_ref()?.data_files.as_ref()? {
        Value::String(name) => Some(name),
        Value::Object(files) => files.get(split)?.as_str(),
        _ => None,
    }
}

/// Whether a file, or a folder near above it, carries the configuration's name.
fn is_own(config: &TaskConfig, path: &Path) -> bool {
    let names = Names::of(config);
    path.ancestors().take(3).any(|part| names.carried_by(part))
}

/// Folders that may hold the splits, nearest first.
fn bases(config: &TaskConfig, root: &Path) -> Vec<Base> {
    let hint = config.metadata.as_ref().and_then(|metadata| metadata.get("local")).and_then(Value::as_str);
    let root_own = Names::of(config).carried_by(root);
    let mut inner: Vec<(String, bool)> = vec![(String::new(), root_own)];
    inner.extend(config.dataset_name.clone().map(|name| (name, true)));
    if let Some(hint) = hint {
        // A hint leads to the configuration, or to the folder of all subjects.
        inner.push((hint.to_owned(), !config.subject));
        inner.extend(config.dataset_name.as_ref().map(|name| (format!("{hint}/{name}"), true)));
        inner.extend(hint.rsplit_once('/').map(|(_, last)| (last.to_owned(), !config.subject)));
    }
    inner.push(("data".to_owned(), root_own));
    let bases = inner.into_iter().map(|(part, own)| Base { path: root.join(part), own });
    bases.filter(|base| base.path.is_dir()).collect()
}

fn spellings(split: &str) -> Vec<&str> {
    match split {
        "validation" | "val" | "valid" => vec!["validation", "val", "valid"],
        "train" | "training" => vec!["train", "training"],
        other => vec![other],
    }
}

fn in_folder(config: &TaskConfig, base: &Base, split: &str) -> Option<Located> {
    let spellings = spellings(split);
    let folder = spellings.iter().map(|name| base.path.join(name)).find(|path| path.is_dir());
    let (path, own) = if let Some(folder) = folder {
        in_split_folder(config, &folder, base.own)?
    } else {
        let matching: Vec<PathBuf> = files(&base.path)
            .into_iter()
            .filter(|file| words_of(file).iter().any(|word| spellings.contains(&word.as_str())))
            .collect();
        pick(config, &matching, base.own)?
    };
    Some(Located { path, split: split.to_owned(), own })
}

/// A folder of one split: of one configuration, or with a file or folder for each.
fn in_split_folder(config: &TaskConfig, folder: &Path, own: bool) -> Option<(PathBuf, bool)> {
    let inner = configuration(config).map(|name| folder.join(name)).filter(|path| path.is_dir());
    if let Some(inner) = inner {
        return Some((inner, true));
    }
    let files = files(folder);
    if configuration(config).is_none() || own || files.iter().all(|file| is_neutral(file)) {
        return Some((folder.to_owned(), own));
    }
    Names::of(config).best(&files).map(|file| (file.to_owned(), true))
}

/// One of the files that are named after the split.
fn pick(config: &TaskConfig, matching: &[PathBuf], own: bool) -> Option<(PathBuf, bool)> {
    let names = Names::of(config);
    if let [file] = matching {
        let named = names.carried_by(file);
        let fits = own || named || configuration(config).is_none() || is_neutral(file);
        return fits.then(|| (file.clone(), own || named));
    }
    // Several datasets share the folder: the file must carry the task's or the configuration's name.
    names.best(matching).map(|file| (file.to_owned(), true))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> TaskConfig {
        serde_json::from_value(value).unwrap()
    }

    fn subject(value: Value) -> TaskConfig {
        TaskConfig { subject: true, ..config(value) }
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
            subject(json!({"task": "ceval-valid_law", "dataset_name": "law", "validation_split": "val"}));
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

    #[test]
    fn a_file_for_each_subject_below_the_split_s_folder() {
        let education = subject(json!({"task": "cmmlu_education", "dataset_name": "education",
            "test_split": "test", "fewshot_split": "dev"}));
        let root = folder(&[
            "test/education.csv",
            "test/physical_education.csv",
            "dev/education.csv",
            "dev/physical_education.csv",
        ]);
        let found = evaluated(&education, root.path()).unwrap();
        assert!(found.own);
        assert_eq!(relative(&root, Some(found)), "test/education.csv");
        assert_eq!(relative(&root, find(&education, root.path(), "dev")), "dev/education.csv");
        let without = folder(&["test/physical_education.csv", "test/law.csv"]);
        assert_eq!(evaluated(&education, without.path()), None, "no other subject stands in");
    }

    #[test]
    fn one_file_of_another_configuration_is_not_taken() {
        let easy = config(json!({"task": "arc_easy", "dataset_name": "ARC-Easy", "test_split": "test"}));
        let other = folder(&["arc_challenge_test.jsonl", "arc_challenge_train.jsonl"]);
        assert_eq!(evaluated(&easy, other.path()), None);
        let plain = folder(&["test.jsonl", "train.jsonl"]);
        assert_eq!(relative(&plain, evaluated(&easy, plain.path())), "test.jsonl");
        let law =
            subject(json!({"task": "ceval-valid_law", "dataset_name": "law", "validation_split": "val"}));
        let all = folder(&["val.jsonl", "dev.jsonl"]);
        assert!(!evaluated(&law, all.path()).unwrap().own, "the rows must say their subject");
    }
}
