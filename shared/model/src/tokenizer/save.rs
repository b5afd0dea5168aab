//! Writing a tokenizer as transformers reads it.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Tokenizer;
use crate::error::{Error, Result};
use crate::json_file;

impl Tokenizer {
    /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let text = self.inner.to_string(false).map_err(|e| Error::Tokenizer(e.to_string()))?;
        json_file::write_text(&folder.join("tokenizer.json"), &text)?;
        let names = self.named();
        let mut config = self.config.clone();
        config.entry("tokenizer_class").or_insert_with(|| json!("PreTrainedTokenizerFast"));
        config.entry("clean_up_tokenization_spaces").or_insert_with(|| json!(false));
        for (key, value) in &names {
            config.entry(key.clone()).or_insert_with(|| value.clone());
        }
        json_file::write(&folder.join("tokenizer_config.json"), &Value::Object(config))?;
        json_file::write(&folder.join("special_tokens_map.json"), &Value::Object(names))
    }

    fn named(&self) -> Map<String, Value> {
        let special = &self.special;
        [
            ("bos_token", &special.bos),
            ("eos_token", &special.eos),
            ("pad_token", &special.pad),
            ("unk_token", &special.unk),
        ]
        .into_iter()
        .filter_map(|(key, token)| token.as_ref().map(|t| (key.to_owned(), json!(t))))
        .collect()
    }
}
