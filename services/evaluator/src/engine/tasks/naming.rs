//! Which files and folders carry a configuration's name: a benchmark of many subjects must never score one subject on
//! the rows of another.

use std::path::Path;

use super::config::TaskConfig;

/// Configuration names of the hub that tell nothing.
const GENERIC: [&str; 4] = ["default", "main", "none", "plain_text"];
/// Words of a file's name that say which split it is.
const SPLITS: [&str; 7] = ["train", "training", "test", "validation", "val", "valid", "dev"];
/// Words of a file's name that say nothing, beside numbers.
const NEUTRAL: [&str; 6] = ["data", "dataset", "rows", "part", "shard", "of"];

/// The configuration that rows must belong to; `None` where the dataset has one configuration only.
pub(super) fn configuration(config: &TaskConfig) -> Option<&str> {
    config.dataset_name.as_deref().filter(|name| !GENERIC.contains(name))
}

/// The names of one configuration's files and folders, normalised.
pub(super) struct Names {
    /// The task's own name.
    task: String,
    /// Every name, most telling first.
    exact: Vec<String>,
    /// A name with the task's in it will do: subjects' names lie within each other (`accountant`, `tax_accountant`).
    loose: bool,
}

impl Names {
    pub(super) fn of(config: &TaskConfig) -> Self {
        let dataset = config.dataset_path.as_deref().map(last);
        let name = configuration(config);
        let mut exact = vec![core(&config.task)];
        exact.extend(dataset.zip(name).map(|(dataset, name)| core(&format!("{dataset}_{name}"))));
        exact.extend(name.map(core));
        if !config.subject {
            exact.extend(dataset.map(core));
        }
        Self { task: core(&config.task), exact, loose: !config.subject }
    }

    /// How well a file or folder is named, 0 best; `None` when it carries none of the names.
    fn rank(&self, path: &Path) -> Option<usize> {
        let found = core(&stem(path));
        let exact = self.exact.iter().position(|name| *name == found && !name.is_empty());
        exact.or_else(|| {
            let within = format!("_{found}_").contains(&format!("_{}_", self.task));
            (self.loose && within && !self.task.is_empty()).then_some(self.exact.len())
        })
    }

    /// Whether a file or folder carries one of the names.
    pub(super) fn carried_by(&self, path: &Path) -> bool {
        self.rank(path).is_some()
    }

    /// The one best named of several files.
    pub(super) fn best<'a>(&self, files: &'a [std::path::PathBuf]) -> Option<&'a Path> {
        let ranked = || files.iter().filter_map(|file| Some((self.rank(file)?, file)));
        let best = ranked().map(|(rank, _)| rank).min()?;
        let mut first = ranked().filter(|(rank, _)| *rank == best).map(|(_, file)| file.as_path());
        first.next().filter(|_| first.next().is_none())
    }
}

/// Whether a file's name says nothing but its split and its number.
pub(super) fn is_neutral(file: &Path) -> bool {
    words(&stem(file))
        .iter()
        .all(|word| SPLITS.contains(&word.as_str()) || NEUTRAL.contains(&word.as_str()) || is_number(word))
}

/// The words of a file's name, extensions left out.
pub(super) fn words_of(file: &Path) -> Vec<String> {
    words(&stem(file))
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn words(name: &str) -> Vec<String> {
    let parts = name.split(|c: char| !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// A name without the words that say its split and its number.
fn core(name: &str) -> String {
    let kept = words(name).into_iter().filter(|word| !SPLITS.contains(&word.as_str()) && !is_number(word));
    kept.filter(|word| word != "of").collect::<Vec<_>>().join("_")
}

/// A file's name without the extensions of data files; a folder's name.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if path.is_dir() {
        return name;
    }
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    fn subject(task: &str, dataset: &str, name: &str) -> Names {
        let mut config: TaskConfig =
            serde_json::from_value(json!({"task": task, "dataset_path": dataset, "dataset_name": name}))
                .unwrap();
        config.subject = true;
        Names::of(&config)
    }

    #[test]
    fn a_subject_s_name_within_another_is_not_its_name() {
        let names = subject("ceval-valid_accountant", "ceval/ceval-exam", "accountant");
        let files = ["ceval_tax_accountant_val.jsonl", "ceval_accountant_val.jsonl"].map(PathBuf::from);
        assert_eq!(names.best(&files), Some(files[1].as_path()));
        assert!(!names.carried_by(&files[0]));
        assert!(names.carried_by(Path::new("test/accountant.csv")));
    }

    #[test]
    fn the_task_s_name_goes_before_the_subject_s_and_equals_are_no_answer() {
        let names = subject("cmmlu_management", "cmmlu/cmmlu", "management");
        let files = ["management_test.csv", "cmmlu_management_test.csv"].map(PathBuf::from);
        assert_eq!(names.best(&files), Some(files[1].as_path()));
        let twice = ["management.csv", "management_test.csv"].map(PathBuf::from);
        assert_eq!(names.best(&twice), None);
    }

    #[test]
    fn a_shard_s_name_says_nothing() {
        assert!(is_neutral(Path::new("validation-00000-of-00001.parquet")));
        assert!(is_neutral(Path::new("test.jsonl.gz")));
        assert!(!is_neutral(Path::new("law_test.jsonl")));
    }
}
