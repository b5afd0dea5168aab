//! Why a training ends without a result, and what that means to whoever started it.

use std::path::{Path, PathBuf};

use anneal_contracts::engine::{ExitKind, Line};
use anneal_datasets::RowError;

/// The result of the engine's parts.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a training ends without a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the spec is wrong, or asks for what is not supported.
    #[error("{reason}")]
    Spec {
        /// The field, dotted.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A model or one of its files.
    #[error("{source}")]
    Model {
        /// The spec field that names it.
        field: &'static str,
        /// The cause.
        source: anneal_model::Error,
    },
    /// The dataset as a whole.
    #[error(transparent)]
    Dataset(#[from] anneal_datasets::Error),
    /// One row of the dataset.
    #[error("{}: {row}", file.display())]
    Row {
        /// The dataset.
        file: PathBuf,
        /// The line and what is wrong there.
        row: RowError,
    },
    /// A checkpoint that cannot be continued from.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Loss or gradient are not finite any more.
    #[error("step {step}: the {what} is not finite; {kept}")]
    Diverged {
        /// The step that could not be done, or could not be validated.
        step: u64,
        /// `loss`, `gradient norm` or `validation loss`.
        what: &'static str,
        /// Which checkpoint holds the weights before that.
        kept: String,
    },
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A tensor operation failed: this program's fault or memory.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A kernel failed.
    #[error("kernel failed: {0}")]
    Kernel(#[from] anneal_kernels::Error),
    /// Asked to stop; the state so far is on disk.
    #[error("stopped on request")]
    Stopped,
}

impl Error {
    pub(crate) fn spec(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Spec { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn checkpoint(path: &Path, reason: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn model(field: &'static str) -> impl FnOnce(anneal_model::Error) -> Self {
        move |source| Self::Model { field, source }
    }

    /// How the process ends.
    pub fn ending(&self) -> ExitKind {
        match self {
            Self::Stopped => ExitKind::Stopped,
            Self::Dataset(anneal_datasets::Error::Io { source, .. })
                if source.kind() != std::io::ErrorKind::NotFound =>
            {
                ExitKind::Failed
            }
            Self::Spec { .. } | Self::Row { .. } | Self::Checkpoint { .. } | Self::Dataset(_) => {
                ExitKind::BadInput
            }
            Self::Model { source, .. } if source.is_input() => ExitKind::BadInput,
            _ => ExitKind::Failed,
        }
    }

    /// The line that tells it.
    pub fn line(&self) -> Line {
        let (code, field) = match self {
            Self::Spec { field, .. } => ("invalid_spec", Some(field.clone())),
            Self::Model { field, .. } => ("invalid_model", Some((*field).to_owned())),
            Self::Dataset(_) => ("invalid_dataset", Some("dataset".to_owned())),
            Self::Row { file, row } => {
                let name = row.file.clone().unwrap_or_else(|| file.display().to_string());
                ("invalid_row", Some(format!("{name}:{}", row.line)))
            }
            Self::Checkpoint { .. } => ("corrupt_checkpoint", Some("resume_from".to_owned())),
            Self::Diverged { .. } => ("diverged", None),
            Self::Io { path, .. } => ("io", Some(path.display().to_string())),
            Self::Tensor(_) | Self::Kernel(_) => ("computation", None),
            Self::Stopped => ("stopped", None),
        };
        let retryable = match self {
            Self::Io { .. } | Self::Tensor(_) | Self::Kernel(_) => true,
            Self::Model { .. } | Self::Dataset(_) => self.ending() == ExitKind::Failed,
            _ => false,
        };
        Line::Error { code: code.to_owned(), field, message: self.to_string(), retryable }
    }
}
