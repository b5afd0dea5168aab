//! What goes wrong with a dataset as a whole ([`Error`]) and with one of its rows ([`RowError`]).

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The result of opening or detecting a dataset.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a dataset cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Not a format that this crate reads, or not one that holds rows of the wanted kind.
    #[error("{}: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is, and what would be read.
        reason: String,
    },
    /// The file holds no rows.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file's structure is broken before its first row.
    #[error("{}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is broken.
        reason: String,
    },
    /// A folder without a data file.
    #[error("{}: the folder holds no data file (.jsonl, .json, .csv, .parquet, .arrow or .txt)", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
}

/// Why one row is not usable, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct RowError {
    /// The file's name, where a dataset has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in the file, from 1; the row's number in Parquet and Arrow files.
    pub line: u64,
    /// The column at fault, such as `messages[2].role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Nothing after this row can be read: a skipped fatal error would lose rows silently.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fatal: bool,
}

impl RowError {
    pub(crate) fn new(line: u64, reason: impl Into<String>) -> Self {
        Self { file: None, line, field: None, reason: reason.into(), fatal: false }
    }

    pub(crate) fn fatal(line: u64, reason: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(line, reason) }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}, ")?;
        }
        write!(f, "line {}: ", self.line)?;
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// What is wrong with a field of a row, before its line is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: Option<String>,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn at(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: Some(field.into()), reason: reason.into() }
    }

    pub(crate) fn row(reason: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into() }
    }

    pub(crate) fn on_line(self, line: u64) -> RowError {
        RowError { file: None, line, field: self.field, reason: self.reason, fatal: false }
    }
}
