//! SentencePiece vocabularies (Llama 1 and 2, Mistral): pieces are merged by score, bytes are the fallback.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{NORMAL, Vocabulary};
use crate::error::{Error, Result};

pub(super) fn tokenizer_json(vocabulary: &Vocabulary<'_>) -> Result<Value> {
    let scores = vocabulary
        .gguf
        .get("tokenizer.ggml.scores")
        .and_then(crate::gguf::Value::as_floats)
        .filter(|scores| scores.len() == vocabulary.tokens.len())
        .ok_or_else(|| Error::config("tokenizer.ggml.scores", "missing, or not one a token"))?;
    let unknown = vocabulary.id("unknown_token_id").unwrap_or(0);
    let prefix_space = vocabulary.flag("add_space_prefix").unwrap_or(true);
    let space = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let prepend = json!({"type": "Prepend", "prepend": "▁"});
    let normalizers = if prefix_space { vec![prepend, space] } else { vec![space] };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix_space {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": vocabulary.added_tokens(),
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null,
        "post_processor": vocabulary.template(true),
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": vocabulary.tokens.get(unknown),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary.vocab(),
            "merges": merges(vocabulary.tokens, &vocabulary.kinds, scores),
        },
    }))
}

/// Every way of making a piece of two pieces, best score first (as transformers' converter orders them).
pub(crate) fn merges(tokens: &[String], kinds: &[i64], scores: &[f64]) -> Vec<[String; 2]> {
    let ids: HashMap<&str, usize> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| kinds[*id] == NORMAL)
        .map(|(id, token)| (token.as_str(), id))
        .collect();
    let mut found = Vec::new();
    for (id, token) in tokens.iter().enumerate().filter(|(id, _)| kinds[*id] == NORMAL) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&l), Some(&r)) = (ids.get(left), ids.get(right)) {
                found.push((scores[id], id, l, r));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then((a.2, a.3).cmp(&(b.2, b.3))));
    found.into_iter().map(|(_, _, l, r)| [tokens[l].clone(), tokens[r].clone()]).collect()
}
