//! Everything that ends an evaluation early, and what a caller may do about it.

use std::path::{Path, PathBuf};

use anneal_contracts::engine::{ExitKind, Line};

/// The engine's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an evaluation ends early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the spec is wrong.
    #[error("{message}")]
    Spec {
        /// The field's path, such as `tasks[0].dataset`.
        field: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A task file is wrong.
    #[error("task {task}: {message}")]
    Task {
        /// The task's name or file.
        task: String,
        /// What is wrong.
        message: String,
    },
    /// A dataset cannot be found or read.
    #[error("{path}: {message}")]
    Dataset {
        /// File or folder.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A row cannot be turned into requests or scored, and too many rows are like it.
    #[error("task {task}, row {row} (line {line}): {reason}{others}")]
    Row {
        /// The task.
        task: String,
        /// Row number, from 1, within the evaluated split.
        row: usize,
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
        /// What is to be said of other rows.
        others: String,
    },
    /// The model cannot be loaded or run.
    #[error("model: {0}")]
    Model(String),
    /// The model computes something that is not a number.
    #[error(
        "the model computes probabilities that are not numbers (NaN) for task {task}, row {row}: its weights or its precision are broken"
    )]
    NotANumber {
        /// The task.
        task: String,
        /// Row number, from 1.
        row: usize,
    },
    /// `output_dir` holds samples of a different evaluation.
    #[error(
        "{path} was written by another evaluation; different: {differences}. Choose another output_dir, or set resume to false to discard it"
    )]
    OtherEvaluation {
        /// The journal.
        path: PathBuf,
        /// What differs.
        differences: String,
    },
    /// A checkpoint cannot be continued from.
    #[error("the checkpoint {path} cannot be used: {message}")]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The answers of an earlier evaluation cannot be scored again.
    #[error("{path} cannot be scored again: {message}")]
    Rescore {
        /// The earlier journal.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Stopped on request; what was scored is on disk.
    #[error("stopped on request; {done} samples are kept and not scored again")]
    Stopped {
        /// Samples on disk.
        done: u64,
    },
}

impl Error {
    pub(crate) fn spec(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Spec { field: field.into(), message: message.into() }
    }

    pub(crate) fn task(task: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Task { task: task.into(), message: message.into() }
    }

    pub(crate) fn dataset(path: &Path, message: impl Into<String>) -> Self {
        Self::Dataset { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// The exit status that the engine's contract gives this error.
    pub fn exit(&self) -> ExitKind {
        match self {
            Self::Io { .. } => ExitKind::Failed,
            Self::Stopped { .. } => ExitKind::Stopped,
            _ => ExitKind::BadInput,
        }
    }

    /// The `error` line of the engine's contract.
    pub fn line(&self) -> Line {
        let (code, field) = match self {
            Self::Spec { field, .. } => ("invalid_spec", Some(field.clone())),
            Self::Task { task, .. } => ("invalid_task", Some(task.clone())),
            Self::Dataset { path, .. } => ("invalid_dataset", Some(path.display().to_string())),
            Self::Row { task, line, .. } => ("invalid_row", Some(format!("{task}:{line}"))),
            Self::Model(_) => ("invalid_model", Some("model".to_owned())),
            Self::NotANumber { .. } => ("not_a_number", Some("model".to_owned())),
            Self::OtherEvaluation { .. } => ("other_evaluation", Some("output_dir".to_owned())),
            Self::Checkpoint { .. } => ("corrupt_checkpoint", Some("resume_from".to_owned())),
            Self::Rescore { .. } => ("other_answers", Some("rescore_from".to_owned())),
            Self::Io { path, .. } => ("io", Some(path.display().to_string())),
            Self::Stopped { .. } => ("stopped", None),
        };
        Line::Error {
            code: code.to_owned(),
            field,
            message: self.to_string(),
            retryable: matches!(self, Self::Io { .. } | Self::Stopped { .. }),
        }
    }
}
