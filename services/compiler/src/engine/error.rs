//! Why the engine gives up, and which exit status that is.

use std::path::{Path, PathBuf};

use anneal_contracts::engine::{ExitKind, Line};

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the engine gives up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec asks for something that cannot be.
    #[error("{field}: {message}")]
    Spec {
        /// The spec's field.
        field: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The model cannot be read or is not supported.
    #[error(transparent)]
    Model(#[from] anneal_model::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// ONNX Runtime is missing, or refuses what was written.
    #[error(transparent)]
    Onnx(#[from] anneal_onnx::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Stopped on request.
    #[error("stopped on request; nothing was published")]
    Stopped,
}

impl Error {
    pub(crate) fn spec(field: &str, message: impl Into<String>) -> Self {
        Self::Spec { field: field.to_owned(), message: message.into() }
    }

    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// How the process ends.
    pub fn exit(&self) -> ExitKind {
        match self {
            Self::Spec { .. } => ExitKind::BadInput,
            Self::Model(error) if error.is_input() => ExitKind::BadInput,
            Self::Stopped => ExitKind::Stopped,
            _ => ExitKind::Failed,
        }
    }

    /// The line that says so.
    pub fn line(&self) -> Line {
        let (code, field) = match self {
            Self::Spec { field, .. } => ("invalid_spec", Some(field.clone())),
            Self::Model(error) if error.is_input() => ("invalid_model", Some("model".to_owned())),
            Self::Model(_) | Self::Tensor(_) => ("internal", None),
            Self::File { path, .. } => ("io", Some(path.display().to_string())),
            Self::Onnx(
                anneal_onnx::Error::LibraryMissing { .. } | anneal_onnx::Error::LibraryUnusable { .. },
            ) => ("onnxruntime_missing", None),
            Self::Onnx(_) => ("onnxruntime", None),
            Self::Stopped => ("stopped", None),
        };
        let retryable = matches!(self, Self::File { .. } | Self::Stopped);
        Line::Error { code: code.to_owned(), field, message: self.to_string(), retryable }
    }
}
