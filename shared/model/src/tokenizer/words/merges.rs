//! The merges of a byte-level vocabulary as a table of pairs of ids, for short parts of ASCII.

use std::borrow::Cow;

use foldhash::{HashMap, HashMapExt as _};
use serde::Deserialize;

/// The rank and id of a pair that is not merged.
const NEVER: (u32, u32) = (u32::MAX, 0);

/// Which neighbours become one token, and in which order.
#[derive(Debug)]
pub(in crate::tokenizer) struct Merges {
    /// The id of every ASCII byte that the vocabulary has.
    bytes: [Option<u32>; 128],
    /// Rank (lower ones are merged first) and id of a pair.
    pairs: HashMap<u64, (u32, u32)>,
    /// Ids of whole parts, which come before all merges where the model says so.
    whole: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    model: Model<'a>,
}

#[derive(Deserialize)]
struct Model<'a> {
    vocab: HashMap<String, u32>,
    #[serde(borrow)]
    merges: Vec<Merge<'a>>,
    #[serde(default)]
    ignore_merges: bool,
}

/// Two parts, or a text of both.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge<'a> {
    Joined(#[serde(borrow)] Cow<'a, str>),
    Two(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>),
}

impl Merge<'_> {
    fn parts(&self) -> Option<(&str, &str)> {
        match self {
            Self::Joined(both) => both.split_once(' ').filter(|(_, right)| !right.contains(' ')),
            Self::Two(left, right) => Some((left, right)),
        }
    }

    /// The first line of files of merges.
    fn is_heading(&self) -> bool {
        matches!(self, Self::Joined(text) if text.starts_with("#version"))
    }
}

impl Merges {
    /// Reads them from a `tokenizer.json`; `None` where it is not one of byte-level merges, or not one at all, which is the library's to say.
    pub(in crate::tokenizer) fn read(json: &[u8]) -> Option<Self> {
        let Model { vocab, merges, ignore_merges } = serde_json::from_slice::<File<'_>>(json).ok()?.model;
        let bytes = std::array::from_fn(|byte| vocab.get(&letter(byte as u8).to_string()).copied());
        let mut pairs = HashMap::with_capacity(merges.len());
        let mut joined = String::new();
        for (merge, rank) in merges.iter().filter(|merge| !merge.is_heading()).zip(0..) {
            let (left, right) = merge.parts()?;
            joined.clear();
            joined.extend([left, right]);
            pairs.insert(pair(*vocab.get(left)?, *vocab.get(right)?), (rank, *vocab.get(&joined)?));
        }
        Some(Self { bytes, pairs, whole: if ignore_merges { vocab } else { HashMap::new() } })
    }

    /// Whether a byte has an id.
    pub(super) fn knows(&self, byte: u8) -> bool {
        self.bytes.get(usize::from(byte)).is_some_and(Option::is_some)
    }

    /// Adds the ids of a part of a text, whose bytes all have one, to `out`: of the pairs that lie side by side, the lowest in rank
    /// becomes one, the left one of equals, until there is none (Sennrich et al. 2016).
    pub(super) fn merge(&self, part: &[u8], out: &mut Vec<u32>) {
        if !self.whole.is_empty() {
            let text: String = part.iter().map(|&byte| letter(byte)).collect();
            if let Some(&id) = self.whole.get(&text) {
                return out.push(id);
            }
        }
        let start = out.len();
        out.extend(part.iter().filter_map(|&byte| self.bytes[usize::from(byte)]));
        let rank = |out: &[u32], at: usize| match out[start + at..] {
            [left, right, ..] => self.pairs.get(&pair(left, right)).copied().unwrap_or(NEVER),
            _ => NEVER,
        };
        let mut ranks: Vec<(u32, u32)> = (0..part.len()).map(|at| rank(out, at)).collect();
        while let Some((at, &(first, id))) = ranks.iter().enumerate().min_by_key(|(_, (rank, _))| *rank)
            && first != NEVER.0
        {
            out[start + at] = id;
            out.remove(start + at + 1);
            ranks.remove(at + 1);
            ranks[at] = rank(out, at);
            if let Some(before) = at.checked_sub(1) {
                ranks[before] = rank(out, before);
            }
        }
    }
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The letter that byte-level vocabularies write for an ASCII byte (GPT-2's `bytes_to_unicode`).
fn letter(byte: u8) -> char {
    match byte {
        0..=32 => char::from_u32(0x100 + u32::from(byte)),
        127 => char::from_u32(0x121),
        _ => Some(char::from(byte)),
    }
    .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn json(merges: &Value, ignore_merges: bool) -> Vec<u8> {
        let letters = (0..128_u8).map(|byte| letter(byte).to_string());
        let tokens = letters.chain(["ab", "abc", "bc", "cab"].map(String::from));
        let vocab: serde_json::Map<String, Value> = tokens.zip((0..).map(Value::from)).collect();
        json!({"model": {"vocab": vocab, "merges": merges, "ignore_merges": ignore_merges}})
            .to_string()
            .into()
    }

    fn ids(merges: &Merges, part: &str) -> Vec<u32> {
        let mut ids = vec![7];
        merges.merge(part.as_bytes(), &mut ids);
        ids.split_off(1)
    }

    #[test]
    fn lower_ranks_are_merged_first_and_the_left_one_of_equals() {
        let merges = Merges::read(&json(&json!([["b", "c"], ["a", "b"], ["ab", "c"]]), false)).unwrap();
        assert_eq!(ids(&merges, "abc"), [97, 130]);
        assert_eq!(ids(&merges, "abab"), [128, 128]);
        assert_eq!(ids(&merges, " "), [32]);
        let merges = Merges::read(&json(&json!(["#version: 0.2", "a b", "ab c", "b c"]), false)).unwrap();
        assert_eq!(ids(&merges, "abcbc"), [129, 130]);
        assert!(ids(&merges, "").is_empty());
    }

    #[test]
    fn a_whole_word_comes_before_merges_where_the_model_says_so() {
        let merges = json!([["a", "b"]]);
        assert_eq!(ids(&Merges::read(&json(&merges, true)).unwrap(), "cab"), [131]);
        assert_eq!(ids(&Merges::read(&json(&merges, false)).unwrap(), "cab"), [99, 128]);
    }

    #[test]
    fn what_is_no_table_of_merges_is_left_to_the_library() {
        for merges in
            [json!([["a", "missing"]]), json!(["a b c"]), json!(["ab"]), json!([["b", "a"]]), json!(3)]
        {
            assert!(Merges::read(&json(&merges, false)).is_none(), "{merges}");
        }
        assert!(Merges::read(b"{").is_none());
    }

    #[test]
    fn bytes_without_an_id_are_told() {
        let merges = Merges::read(br#"{"model": {"vocab": {"a": 0, "\u0120": 1}, "merges": []}}"#).unwrap();
        assert!(merges.knows(b'a') && merges.knows(b' ') && !merges.knows(b'b') && !merges.knows(200));
    }

    #[test]
    fn letters_are_the_librarys() {
        let letters = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert!((0..128).all(|byte| letters.contains(&letter(byte))));
    }
}
