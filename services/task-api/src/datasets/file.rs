//! One stored file of a dataset's version: a split, or the whole.

use anneal_artifacts::Stored;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Checked;

/// How splits are called, and by which name each is shown.
const SPLITS: [(&str, &[&str]); 4] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "val"]),
    ("dev", &["dev"]),
    ("test", &["test"]),
];

/// A file as it is stored, with what was found in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StoredFile {
    /// Where it lies in the dataset.
    pub(crate) path: String,
    /// Which split it is, where its name says so.
    pub(crate) split: Option<String>,
    pub(crate) format: String,
    /// Rows, invalid ones included.
    pub(crate) rows: u64,
    /// Rows that were left out.
    pub(crate) invalid_rows: u64,
    /// Characters of text in the valid rows.
    pub(crate) characters: u64,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
}

impl StoredFile {
    /// A checked file that was stored.
    pub(crate) fn new(checked: &Checked, stored: &Stored) -> Self {
        Self {
            path: checked.path.clone(),
            split: split_of(&checked.path).map(str::to_owned),
            format: checked.stored_format.name().to_owned(),
            rows: checked.report.rows,
            invalid_rows: checked.report.invalid,
            characters: checked.report.characters,
            size_bytes: stored.size_bytes,
            sha256: stored.sha256.clone(),
        }
    }
}

/// The split that a folder or a word of the file's name names.
fn split_of(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|part| {
        let words: Vec<String> = part.split(['_', '-', '.']).map(str::to_ascii_lowercase).collect();
        let is_named = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        SPLITS.iter().find(|(_, names)| is_named(names)).map(|(split, _)| *split)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_told_by_a_word_of_the_name_or_of_its_folder() {
        for (path, split) in [
            ("train.jsonl", Some("train")),
            ("gsm8k-test-00000-of-00001.parquet", Some("test")),
            ("val/law.csv", Some("validation")),
            ("law_dev.csv", Some("dev")),
            ("contest.jsonl", None),
        ] {
            assert_eq!(split_of(path), split, "{path}");
        }
    }
}
