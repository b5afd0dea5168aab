//! SentencePiece BPE vocabularies (Llama 1 and 2, Mistral): pieces are merged by score, bytes are the fallback.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::vocabulary::{NORMAL, Vocabulary};

/// Longest piece, in bytes, that merges are looked for in: that takes time in the square of the length. SentencePiece itself
/// makes pieces of 16 characters.
const MAX_PIECE_BYTES: usize = 512;

/// The `tokenizer.json` of a vocabulary with scores, as transformers converts it; refused with the reason where a piece is too
/// long to be one.
pub(super) fn tokenizer_json(vocabulary: &Vocabulary) -> Result<Value, String> {
    let merges = merges(vocabulary)?;
    let space = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let prepend = json!({"type": "Prepend", "prepend": "▁"});
    let prefixed = vocabulary.space_prefix;
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefixed {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": vocabulary.added_tokens(),
        "normalizer": {
            "type": "Sequence",
            "normalizers": if prefixed { vec![prepend, space] } else { vec![space] },
        },
        "pre_tokenizer": null,
        "post_processor": vocabulary.template(),
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "dropout": null,
            "unk_token": vocabulary.tokens.get(vocabulary.unknown.unwrap_or(0)),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary.vocab(), "merges": merges,
        },
    }))
}

/// Every way of making a piece of two pieces, best score first (the order of transformers' converter).
fn merges(vocabulary: &Vocabulary) -> Result<Vec<[&str; 2]>, String> {
    let normal = || {
        let tokens = vocabulary.tokens.iter().enumerate();
        tokens.filter(|(id, _)| vocabulary.kinds[*id] == NORMAL)
    };
    let ids: HashMap<&str, usize> = normal().map(|(id, token)| (token.as_str(), id)).collect();
    let mut found = Vec::new();
    for (id, token) in normal() {
        if token.len() > MAX_PIECE_BYTES {
            return Err(format!("piece {id} has {} bytes; at most {MAX_PIECE_BYTES} are read", token.len()));
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&l), Some(&r)) = (ids.get(left), ids.get(right)) {
                found.push((vocabulary.scores[id], id, l, r));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then((a.2, a.3).cmp(&(b.2, b.3))));
    let text = |id: usize| vocabulary.tokens[id].as_str();
    Ok(found.into_iter().map(|(_, _, l, r)| [text(l), text(r)]).collect())
}
