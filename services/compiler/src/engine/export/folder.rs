//! Configuration, tokenizer and template beside the graph.

use std::{fs, path::Path};

use anneal_contracts::engine::Target;
use anneal_model::Source;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{genai_config::genai_config, manifest::sha256};
use crate::engine::error::{Error, Result};

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::file(path, error.into()))?;
    text.push(b'\n');
    fs::write(path, text).map_err(|source| Error::file(path, source))
}

/// Writes everything of a compiled folder but `model.onnx` and the manifest.
pub(crate) fn write_companions(folder: &Path, source: &Source, target: Target) -> Result<()> {
    let config = source.config();
    write_json(&folder.join("config.json"), &config.to_huggingface("float32"))?;
    write_json(&folder.join("generation_config.json"), &config.generation_config())?;
    let provider_options = match target {
        Target::OnnxruntimeCpu => json!([]),
        Target::OnnxruntimeCuda => json!([{ "cuda": {} }]),
    };
    write_json(&folder.join("genai_config.json"), &genai_config(config, &provider_options))?;
    source.tokenizer()?.save(folder)?;
    if let Some(template) = source.chat_template()? {
        let path = folder.join("chat_template.jinja");
        fs::write(&path, template.source()).map_err(|source| Error::file(&path, source))?;
    }
    Ok(())
}

/// SHA-256 of the files that text goes through, for the certificate.
pub(crate) fn digests(folder: &Path) -> Result<Map<String, Value>> {
    let mut found = Map::new();
    for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] {
        let path = folder.join(name);
        if path.is_file() {
            found.insert(name.to_owned(), sha256(&path)?.into());
        }
    }
    Ok(found)
}
