//! A whole model as a Hugging Face folder.

use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;

use super::writer::{StoredType, write_safetensors};
use crate::chat::ChatTemplate;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::json_file;
use crate::tokenizer::Tokenizer;

/// What goes into the folder besides the weights.
#[derive(Debug, Clone, Copy)]
pub struct FolderParts<'a> {
    /// Sizes and switches.
    pub config: &'a ModelConfig,
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The chat template, where there is one.
    pub chat_template: Option<&'a ChatTemplate>,
    /// How weights are stored.
    pub stored: StoredType,
}

/// Writes `config.json`, `generation_config.json`, `model.safetensors`, the tokenizer's files and `chat_template.jinja`.
/// `tensor` gives each tensor of the configuration by its Hugging Face name, in f32.
pub fn save_hf_folder(
    folder: &Path,
    parts: FolderParts<'_>,
    tensor: impl FnMut(&str) -> Result<Tensor>,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let config = parts.config;
    json_file::write(&folder.join("config.json"), &config.to_huggingface(parts.stored.name()))?;
    json_file::write(&folder.join("generation_config.json"), &config.generation_config())?;
    parts.tokenizer.save(folder)?;
    if let Some(template) = parts.chat_template {
        json_file::write_text(&folder.join("chat_template.jinja"), template.source())?;
    }
    let shapes = config.tensor_shapes();
    write_safetensors(&folder.join("model.safetensors"), &shapes, parts.stored, &HashMap::new(), tensor)
}
