//! Everything that can go wrong between a compiled folder and its logits.

use std::path::PathBuf;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No shared library of ONNX Runtime where one was looked for.
    #[error(
        "ONNX Runtime is not installed: looked for {}; run `cargo xtask fetch` (or `anneal up`, which fetches it), \
         or set ANNEAL_ONNXRUNTIME to the path of libonnxruntime.so",
        looked_at.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    LibraryMissing {
        /// The places that were tried, in order.
        looked_at: Vec<PathBuf>,
    },
    /// The library is there and cannot be used: wrong version, not a library, not ONNX Runtime.
    #[error("{} cannot be used as ONNX Runtime: {reason}", path.display())]
    LibraryUnusable {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// A session was asked for before [`crate::init`].
    #[error("ONNX Runtime is not loaded yet: call anneal_onnx::init first")]
    NotInitialised,
    /// A file of the folder cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `model.onnx` is no ONNX protobuf.
    #[error("{} is not a valid ONNX file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why reading stopped.
        reason: String,
    },
    /// A tensor's external data would be read from outside the model's folder.
    #[error(
        "tensor `{tensor}` keeps its data at `{location}`: {reason}; external data must be a plain file of the model's folder"
    )]
    UnsafeExternalData {
        /// The initializer.
        tensor: String,
        /// The path written in the model.
        location: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The graph uses an operator of a library that would have to be loaded: never done.
    #[error(
        "the model uses operators of the domain `{domain}`, which need a custom operator library; such libraries are never loaded"
    )]
    CustomOperators {
        /// The operator domain.
        domain: String,
    },
    /// The graph loads and is no decoder of the pinned layout.
    #[error("{} is not a compiled decoder: {reason}", folder.display())]
    Layout {
        /// The folder.
        folder: PathBuf,
        /// The first input or output that does not fit.
        reason: String,
    },
    /// The caller's tokens do not fit the model or the state.
    #[error("{0}")]
    Input(String),
    /// The model computes NaN: its weights or its precision are broken.
    #[error("the model computes logits that are not numbers (NaN)")]
    NotANumber,
    /// ONNX Runtime refused.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
}

impl<R> From<ort::Error<R>> for Error {
    fn from(error: ort::Error<R>) -> Self {
        Self::Runtime(error.message().to_owned())
    }
}
