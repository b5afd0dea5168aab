//! How an engine's spec names a model on disk.

use serde::{Deserialize, Serialize};

/// A folder or `.gguf` file, or a base with an adapter on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelInput {
    /// A Hugging Face folder, a compiled folder, a `.gguf` file, or a folder that holds one.
    Path(String),
    /// A base model and a PEFT adapter folder.
    Adapted(Adapted),
}

/// A base model and a PEFT adapter folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapted {
    /// Folder or `.gguf` file of the base.
    pub base: String,
    /// Folder with `adapter_config.json` and `adapter_model.safetensors`.
    pub adapter: String,
}
