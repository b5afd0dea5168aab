//! Byte-level BPE, with the pre-tokenizers that llama.cpp knows by name (`llama-vocab.cpp`), in the form in which the
//! models' own `tokenizer.json` has them.

use serde_json::{Value, json};

use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};

const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const WORDS_AND_SPACES: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// How text is cut before merging.
enum Cut {
    /// GPT-2's pattern.
    Gpt2,
    /// Every digit alone, then GPT-2's pattern.
    DigitsThenGpt2,
    /// One pattern, its matches kept apart.
    Pattern(String),
}

struct PreTokenizer {
    cut: Cut,
    /// Text is composed (NFC) first.
    nfc: bool,
    /// A word that is a token is taken whole, whatever the merges say.
    whole_words: bool,
}

fn gpt4_like(digits: &str) -> String {
    format!(r"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}|{WORDS_AND_SPACES}")
}

/// The pre-tokenizer of a `tokenizer.ggml.pre`.
fn named(name: &str) -> Result<PreTokenizer> {
    let plain = |cut| PreTokenizer { cut, nfc: false, whole_words: false };
    Ok(match name {
        "default" | "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "roberta-bpe" | "jais" | "trillion" => {
            plain(Cut::Gpt2)
        }
        "mpt" | "olmo" => PreTokenizer { nfc: true, ..plain(Cut::Gpt2) },
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "minerva-7b" | "exaone" => {
            plain(Cut::DigitsThenGpt2)
        }
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "pixtral" => {
            PreTokenizer { whole_words: true, ..plain(Cut::Pattern(gpt4_like("{1,3}"))) }
        }
        "dbrx" | "smaug-bpe" | "olmo2" | "dolma2" => plain(Cut::Pattern(gpt4_like("{1,3}"))),
        "qwen2" | "deepseek-r1-qwen" => PreTokenizer { nfc: true, ..plain(Cut::Pattern(gpt4_like(""))) },
        "stablelm2" | "hunyuan" | "megrez" => plain(Cut::Pattern(gpt4_like(""))),
        "tekken" => PreTokenizer { whole_words: true, ..plain(Cut::Pattern(TEKKEN.to_owned())) },
        other => {
            return Err(Error::Unsupported(format!("GGUF pre-tokenizer `{other}`")));
        }
    })
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

/// The `tokenizer.json` of a vocabulary with merges (`"left right"` each), cut as `pre` names it.
pub(super) fn tokenizer_json(vocabulary: &Vocabulary, pre: &str, merges: &[String]) -> Result<Value> {
    let pre = named(pre)?;
    let merges = merges
        .iter()
        .map(|merge| merge.split_once(' ').map(|(left, right)| json!([left, right])))
        .collect::<Option<Vec<Value>>>()
        .ok_or_else(|| Error::config("tokenizer.ggml.merges", "a merge is not two parts"))?;
    let steps = match pre.cut {
        Cut::Gpt2 => vec![byte_level(true)],
        Cut::DigitsThenGpt2 => {
            vec![json!({"type": "Digits", "individual_digits": true}), byte_level(true)]
        }
        Cut::Pattern(pattern) => vec![split(&pattern), byte_level(false)],
    };
    let mut after = vec![json!({
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true,
    })];
    after.extend(vocabulary.template());
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": vocabulary.added_tokens(),
        "normalizer": if pre.nfc { json!({"type": "NFC"}) } else { Value::Null },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": {"type": "Sequence", "processors": after},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pre.whole_words, "vocab": vocabulary.vocab(), "merges": merges,
        },
    }))
}
