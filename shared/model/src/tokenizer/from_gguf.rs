//! A tokenizer from the vocabulary in a GGUF file, turned into the `tokenizer.json` its model was published with.

mod bpe;
mod spm;

use serde_json::{Map, Value, json};

use super::{SpecialTokens, Tokenizer, parse};
use crate::error::{Error, Result};
use crate::gguf::Gguf;

/// Kinds of tokens in `tokenizer.ggml.token_type`.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// The vocabulary as the file has it.
struct Vocabulary<'a> {
    gguf: &'a Gguf,
    tokens: &'a [String],
    kinds: Vec<i64>,
}

impl Tokenizer {
    /// Builds the tokenizer of a GGUF file. Unknown kinds are refused by name: a guessed pre-tokenizer gives other ids.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let vocabulary = Vocabulary::read(gguf)?;
        let json = match gguf.text("tokenizer.ggml.model")? {
            "gpt2" => bpe::tokenizer_json(&vocabulary)?,
            "llama" => spm::tokenizer_json(&vocabulary)?,
            other => {
                return Err(Error::Unsupported(format!(
                    "GGUF tokenizer `{other}`; supported are gpt2 (BPE) and llama (SPM)"
                )));
            }
        };
        let inner = parse(json.to_string().as_bytes())?;
        let special = SpecialTokens {
            bos: vocabulary.named("bos_token_id"),
            eos: vocabulary.named("eos_token_id"),
            pad: vocabulary.named("padding_token_id").or_else(|| vocabulary.named("eos_token_id")),
            unk: vocabulary.named("unknown_token_id"),
        };
        Self::new(inner, special, Map::new())
    }
}

impl<'a> Vocabulary<'a> {
    fn read(gguf: &'a Gguf) -> Result<Self> {
        let tokens = gguf
            .get("tokenizer.ggml.tokens")
            .and_then(crate::gguf::Value::as_texts)
            .ok_or_else(|| Error::config("tokenizer.ggml.tokens", "missing"))?;
        let kinds = match gguf.get("tokenizer.ggml.token_type").and_then(crate::gguf::Value::as_integers) {
            Some(kinds) if kinds.len() == tokens.len() => kinds.to_vec(),
            Some(kinds) => {
                return Err(Error::config(
                    "tokenizer.ggml.token_type",
                    format!("{} kinds for {} tokens", kinds.len(), tokens.len()),
                ));
            }
            None => vec![NORMAL; tokens.len()],
        };
        Ok(Self { gguf, tokens, kinds })
    }

    fn id(&self, key: &str) -> Option<usize> {
        let id = self.gguf.get(&format!("tokenizer.ggml.{key}"))?.as_u64()?;
        usize::try_from(id).ok().filter(|&id| id < self.tokens.len())
    }

    fn named(&self, key: &str) -> Option<String> {
        self.id(key).map(|id| self.tokens[id].clone())
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.gguf.get(&format!("tokenizer.ggml.{key}"))?.as_bool()
    }

    /// Control tokens are special; user-defined ones are matched whole but are ordinary text.
    fn added_tokens(&self) -> Vec<Value> {
        self.kinds
            .iter()
            .enumerate()
            .filter(|(_, kind)| matches!(**kind, CONTROL | USER_DEFINED))
            .map(|(id, &kind)| {
                json!({
                    "id": id, "content": self.tokens[id], "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": kind == CONTROL,
                })
            })
            .collect()
    }

    /// `{token: id}`. A text that occurs twice keeps its first id.
    fn vocab(&self) -> Map<String, Value> {
        let mut vocab = Map::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.iter().enumerate() {
            vocab.entry(token.clone()).or_insert_with(|| json!(id));
        }
        vocab
    }

    /// Puts BOS in front and EOS behind where the file says so.
    fn template(&self, bos_by_default: bool) -> Option<Value> {
        let bos = self.flag("add_bos_token").unwrap_or(bos_by_default);
        let eos = self.flag("add_eos_token").unwrap_or(false);
        let bos = self.id("bos_token_id").filter(|_| bos);
        let eos = self.id("eos_token_id").filter(|_| eos);
        if bos.is_none() && eos.is_none() {
            return None;
        }
        let special = |id: usize, kind: u8| json!({"SpecialToken": {"id": self.tokens[id], "type_id": kind}});
        let (mut single, mut pair, mut table) = (Vec::new(), Vec::new(), Map::new());
        for (kind, sequence) in [(0, "A"), (1, "B")] {
            let mut part = Vec::new();
            part.extend(bos.map(|id| special(id, kind)));
            part.push(json!({"Sequence": {"id": sequence, "type_id": kind}}));
            part.extend(eos.map(|id| special(id, kind)));
            if kind == 0 {
                single.clone_from(&part);
            }
            pair.extend(part);
        }
        for id in [bos, eos].into_iter().flatten() {
            let token = &self.tokens[id];
            table.insert(token.clone(), json!({"id": token, "ids": [id], "tokens": [token]}));
        }
        Some(json!({
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": table,
        }))
    }
}
