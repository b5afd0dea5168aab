//! Strict looks at the heads of model files: enough to refuse what is corrupt or dangerous before anything loads it.
//!
//! Pure: bytes in, facts or the reason of a refusal out. Nothing here allocates by a number that a file claims.

pub(super) mod gguf;
pub(super) mod huggingface;
pub(super) mod pickle;
pub(super) mod safetensors;

/// What a model file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) architecture: Option<String>,
    pub(crate) parameters: Option<u64>,
    /// The longest sequence the model takes.
    pub(crate) context_tokens: Option<u64>,
}
