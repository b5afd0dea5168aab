//! What can go wrong in a kernel: shapes and dtypes that do not fit, candle's own errors, files.

use std::path::PathBuf;

/// The error of every function of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument has a shape, dtype or value the operation does not take.
    #[error("{op}: {reason}")]
    Argument {
        /// The operation.
        op: &'static str,
        /// What is wrong with which argument.
        reason: String,
    },
    /// candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A file could not be mapped.
    #[error("cannot map {path}: {source}")]
    Map {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The thread pool could not be started.
    #[error("cannot start the kernel threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An [`Error::Argument`] of `op`.
pub(crate) fn refuse<T>(op: &'static str, reason: impl Into<String>) -> Result<T> {
    Err(Error::Argument { op, reason: reason.into() })
}
