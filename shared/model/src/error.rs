//! Everything that can be wrong with a model, said so that its owner can mend it.

use std::path::{Path, PathBuf};

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not be read, run or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is missing or cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file's content breaks its format's rules.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The rule that is broken, with names and numbers.
        reason: String,
    },
    /// The configuration lacks a field or holds a value that makes no sense.
    #[error("model configuration, `{field}`: {reason}")]
    Config {
        /// The field as the file names it.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A well-formed model that this engine cannot run; never guessed at.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The tokenizer cannot be built or cannot encode.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A chat template does not parse or does not render.
    #[error("chat template: {0}")]
    Template(String),
    /// The model computes logits that are NaN or infinite: its weights or its precision are broken.
    #[error("prompt {prompt}: the model computes logits that are not numbers")]
    NotANumber {
        /// The prompt's place in the call, from 0.
        prompt: usize,
    },
    /// A caller's argument does not fit the model.
    #[error("{0}")]
    Argument(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A kernel refused its arguments or failed.
    #[error(transparent)]
    Kernel(#[from] anneal_kernels::Error),
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn config(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { field: field.into(), reason: reason.into() }
    }

    /// Whether the fault lies in the user's input (as opposed to this machine or this program).
    pub fn is_input(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::Tensor(_) | Self::Kernel(_) => false,
            _ => true,
        }
    }
}
