//! The tokenizer files of a Hugging Face folder.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Parsed, SpecialTokens, Tokenizer, parse, sentencepiece, spm};
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::json_file;

const TOKENIZER_LIMIT_BYTES: u64 = 256 << 20;
const CONFIG_LIMIT_BYTES: u64 = 32 << 20;

impl Tokenizer {
    /// Reads `tokenizer.json` (or `tokenizer.model`), `tokenizer_config.json` and `special_tokens_map.json`. `config` names the special tokens by
    /// id where the files do not name them.
    pub fn from_folder(folder: &Path, config: Option<&ModelConfig>) -> Result<Self> {
        let parsed = read(folder)?;
        let settings = optional_object(&folder.join("tokenizer_config.json"))?;
        let map = optional_object(&folder.join("special_tokens_map.json"))?;
        let by_id = |id: Option<u32>| id.and_then(|id| parsed.inner.id_to_token(id));
        let named = |key: &str| token_text(settings.get(key)).or_else(|| token_text(map.get(key)));
        let special = SpecialTokens {
            bos: named("bos_token").or_else(|| by_id(config?.bos_token_id)),
            eos: named("eos_token").or_else(|| by_id(config?.eos_token_id())),
            pad: named("pad_token").or_else(|| by_id(config?.pad_token_id)),
            unk: named("unk_token"),
        };
        Self::new(parsed, special, settings)
    }
}

fn read(folder: &Path) -> Result<Parsed> {
    let (json, model) = (folder.join("tokenizer.json"), folder.join("tokenizer.model"));
    if json.is_file() {
        let text = json_file::read_text(&json, TOKENIZER_LIMIT_BYTES)?;
        return parse(text.as_bytes()).map_err(|e| Error::malformed(&json, e.to_string()));
    }
    if !model.is_file() {
        return Err(Error::malformed(folder, "neither tokenizer.json nor tokenizer.model"));
    }
    let bytes = json_file::read_bytes(&model, TOKENIZER_LIMIT_BYTES)?;
    let vocabulary = sentencepiece::read(&bytes).map_err(|reason| Error::malformed(&model, reason))?;
    let json = spm::tokenizer_json(&vocabulary).map_err(|reason| Error::malformed(&model, reason))?;
    parse(json.to_string().as_bytes())
}

/// A token given as a text or as an object with `content`.
fn token_text(value: Option<&Value>) -> Option<String> {
    let value = value?;
    value.as_str().or_else(|| value.get("content").and_then(Value::as_str)).map(str::to_owned)
}

fn optional_object(path: &Path) -> Result<Map<String, Value>> {
    if path.is_file() { json_file::read(path, CONFIG_LIMIT_BYTES) } else { Ok(Map::new()) }
}
