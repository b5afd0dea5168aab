//! A tokenizer from the vocabulary in a GGUF file, turned into the `tokenizer.json` its model was published with.

use serde_json::Map;

use super::pre_tokenizer::PreTokenizer;
use super::vocabulary::{NORMAL, Vocabulary};
use super::{SpecialTokens, Tokenizer, bpe, parse, spm};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Value};

impl Tokenizer {
    /// Builds the tokenizer of a GGUF file. Unknown kinds are refused by name: a guessed pre-tokenizer gives other ids.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let kind = gguf.text("tokenizer.ggml.model")?;
        let (vocabulary, json) = match kind {
            "gpt2" => {
                let pre = PreTokenizer::named(cut(gguf)?)?;
                let vocabulary = read(gguf, pre.adds_bos)?;
                let merges = gguf
                    .get("tokenizer.ggml.merges")
                    .and_then(Value::as_texts)
                    .ok_or_else(|| Error::config("tokenizer.ggml.merges", "missing"))?;
                let json = bpe::tokenizer_json(&vocabulary, &pre, merges)?;
                (vocabulary, json)
            }
            "llama" => {
                let vocabulary = read(gguf, true)?;
                if vocabulary.scores.is_empty() {
                    return Err(Error::config("tokenizer.ggml.scores", "missing"));
                }
                let json = spm::tokenizer_json(&vocabulary)
                    .map_err(|reason| Error::config("tokenizer.ggml.tokens", reason))?;
                (vocabulary, json)
            }
            other => {
                return Err(Error::Unsupported(format!(
                    "GGUF tokenizer `{other}`; supported are gpt2 (BPE) and llama (SPM)"
                )));
            }
        };
        let named = |id: Option<usize>| id.map(|id| vocabulary.tokens[id].clone());
        let special = SpecialTokens {
            bos: named(vocabulary.bos),
            eos: named(vocabulary.eos),
            pad: named(id(gguf, "padding_token_id", &vocabulary.tokens)?.or(vocabulary.eos)),
            unk: named(vocabulary.unknown),
        };
        Self::new(parse(json.to_string().as_bytes())?, special, Map::new())
    }
}

/// The name of the pre-tokenizer.
fn cut(gguf: &Gguf) -> Result<&str> {
    gguf.get("tokenizer.ggml.pre")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::config("tokenizer.ggml.pre", "missing: how text is cut is not known"))
}

/// The vocabulary; `adds_bos` is what holds where the file does not say.
fn read(gguf: &Gguf, adds_bos: bool) -> Result<Vocabulary> {
    let tokens = gguf
        .get("tokenizer.ggml.tokens")
        .and_then(Value::as_texts)
        .ok_or_else(|| Error::config("tokenizer.ggml.tokens", "missing"))?
        .to_vec();
    let flag = |key: &str| gguf.get(&format!("tokenizer.ggml.{key}")).and_then(Value::as_bool);
    let kinds = match gguf.get("tokenizer.ggml.token_type").and_then(Value::as_integers) {
        Some(kinds) => kinds.to_vec(),
        None => vec![NORMAL; tokens.len()],
    };
    let scores = gguf.get("tokenizer.ggml.scores").and_then(Value::as_floats).unwrap_or_default().to_vec();
    for (key, length) in [("token_type", kinds.len()), ("scores", scores.len())] {
        if length != tokens.len() && !(key == "scores" && length == 0) {
            return Err(Error::config(
                format!("tokenizer.ggml.{key}"),
                format!("{length} entries for {} tokens", tokens.len()),
            ));
        }
    }
    Ok(Vocabulary {
        bos: id(gguf, "bos_token_id", &tokens)?,
        eos: id(gguf, "eos_token_id", &tokens)?,
        unknown: id(gguf, "unknown_token_id", &tokens)?,
        add_bos: flag("add_bos_token").unwrap_or(adds_bos),
        add_eos: flag("add_eos_token").unwrap_or(false),
        space_prefix: flag("add_space_prefix").unwrap_or(true),
        tokens,
        kinds,
        scores,
    })
}

/// A special token's id, which must be one of the vocabulary.
fn id(gguf: &Gguf, key: &str, tokens: &[String]) -> Result<Option<usize>> {
    let key = format!("tokenizer.ggml.{key}");
    let Some(id) = gguf.get(&key).and_then(Value::as_u64) else { return Ok(None) };
    match usize::try_from(id) {
        Ok(id) if id < tokens.len() => Ok(Some(id)),
        _ => Err(Error::config(key, format!("{id} in a vocabulary of {}", tokens.len()))),
    }
}
