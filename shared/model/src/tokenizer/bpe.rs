//! Byte-level BPE as a `tokenizer.json`.

use serde_json::{Value, json};

use super::pre_tokenizer::PreTokenizer;
use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};

/// The `tokenizer.json` of a vocabulary with merges (`"left right"` each).
pub(super) fn tokenizer_json(
    vocabulary: &Vocabulary,
    pre: &PreTokenizer,
    merges: &[String],
) -> Result<Value> {
    let merges = merges
        .iter()
        .map(|merge| merge.split_once(' ').map(|(left, right)| json!([left, right])))
        .collect::<Option<Vec<Value>>>()
        .ok_or_else(|| Error::config("tokenizer.ggml.merges", "a merge is not two parts"))?;
    let mut after = vec![json!({
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true,
    })];
    after.extend(vocabulary.template());
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": vocabulary.added_tokens(),
        "normalizer": pre.normalizer(),
        "pre_tokenizer": pre.json(),
        "post_processor": {"type": "Sequence", "processors": after},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pre.whole_words, "vocab": vocabulary.vocab(), "merges": merges,
        },
    }))
}
