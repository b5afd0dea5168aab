//! A text's ids from the ids of its words, each of which is encoded once.
//!
//! The common byte-level tokenizers cut every text before an ASCII letter behind a single line feed, and before a single space and
//! such a letter or digit, where a printable ASCII character comes first, and merge nothing across a cut. (Behind more white space
//! the end of a text and a letter are not cut alike.) So the ids of a text are those of its pieces between such places, end to end,
//! and running text repeats its pieces. New ones of ASCII go past the library where its patterns are ones that this module knows.

mod ascii;
mod memory;
mod merges;

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokenizers::{models::ModelWrapper, normalizers::NormalizerWrapper};

pub(super) use self::merges::Merges;
use self::{ascii::Ascii, memory::Memory};
use super::pre_tokenizer::PreTokenizer;

/// A pattern that cuts numbers alone, beside one that cuts words.
const DIGITS: &str = r"\p{N}{1,3}";

/// What was encoded before, a memory for each thread that encodes at the same time.
#[derive(Debug, Default)]
pub(super) struct Words {
    free: Mutex<Vec<Memory>>,
    /// For new pieces of ASCII, where the cuts are known ones.
    ascii: Option<Ascii>,
    /// What the post-processor puts before and behind every text.
    before: Vec<u32>,
    behind: Vec<u32>,
}

impl Words {
    /// For a tokenizer that cuts as this module needs it; `None` for any other.
    pub(super) fn of(tokenizer: &tokenizers::Tokenizer, merges: Option<Merges>) -> Option<Self> {
        let ModelWrapper::BPE(model) = tokenizer.get_model() else { return None };
        let affix = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let plain_model = model.dropout.is_none()
            && !affix(&model.continuing_subword_prefix)
            && !affix(&model.end_of_word_suffix);
        let composed_at_most = matches!(tokenizer.get_normalizer(), None | Some(NormalizerWrapper::NFC(_)));
        let cuts = serde_json::to_value(tokenizer.get_pre_tokenizer()).ok()?;
        let added_within = tokenizer.get_added_tokens_decoder().values().all(|token| {
            !token.lstrip && !token.rstrip && !token.single_word && !token.content.contains([' ', '\n'])
        });
        let (before, behind) = frame(tokenizer)?;
        (plain_model && composed_at_most && added_within && cuts_words(&cuts)).then(|| Self {
            free: Mutex::default(),
            ascii: merges.and_then(|merges| Ascii::of(tokenizer, &cuts, merges)),
            before,
            behind,
        })
    }

    /// The ids of a text; `add_special` adds those of the post-processor.
    pub(super) fn encode(
        &self,
        tokenizer: &tokenizers::Tokenizer,
        text: &str,
        add_special: bool,
    ) -> tokenizers::Result<Vec<u32>> {
        let mut memory = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut ids = Vec::with_capacity(text.len() / 3);
        ids.extend(self.before.iter().filter(|_| add_special));
        for piece in pieces(text) {
            memory.add(tokenizer, self.ascii.as_ref(), piece, &mut ids)?;
        }
        ids.extend(self.behind.iter().filter(|_| add_special));
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        Ok(ids)
    }
}

/// The ids that the post-processor puts before and behind a text; `None` where a text's own cannot be told from them.
fn frame(tokenizer: &tokenizers::Tokenizer) -> Option<(Vec<u32>, Vec<u32>)> {
    const PROBE: &str = "a";
    let plain = tokenizer.encode_fast(PROBE, false).ok()?;
    let framed = tokenizer.encode_fast(PROBE, true).ok()?;
    let (plain, framed) = (plain.get_ids(), framed.get_ids());
    let mut places = (0..framed.len()).filter(|&at| !plain.is_empty() && framed[at..].starts_with(plain));
    let (Some(at), None) = (places.next(), places.next()) else { return None };
    Some((framed[..at].to_vec(), framed[at + plain.len()..].to_vec()))
}

/// The text's pieces, end to end.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let cut_at = move |at: usize| match bytes[at] {
        b' ' => bytes[at - 1].is_ascii_graphic() && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric),
        letter => {
            letter.is_ascii_alphabetic()
                && bytes[at - 1] == b'\n'
                && at.checked_sub(2).is_some_and(|before| bytes[before].is_ascii_graphic())
        }
    };
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from;
        if start == bytes.len() {
            return None;
        }
        from = (start + 1..bytes.len()).find(|&at| cut_at(at)).unwrap_or(bytes.len());
        // Cuts lie before ASCII characters.
        text.get(start..from)
    })
}

/// Whether a pre-tokenizer makes every cut of [`pieces`], and treats a piece alone as it does within its text. Steps work on what the
/// one before left, so one that cuts is enough, as long as none before it turns spaces into letters (as `ByteLevel` does).
fn cuts_words(step: &Value) -> bool {
    match step["type"].as_str() {
        Some("Sequence") => {
            let steps = steps(step);
            let cut = steps.iter().position(cuts_words);
            let before = &steps[..cut.unwrap_or(0)];
            cut.is_some()
                && steps.iter().all(is_local)
                && before.iter().all(|step| step["type"] != "ByteLevel")
        }
        Some("ByteLevel") => is_local(step) && step["use_regex"] == true,
        Some("Split") => is_local(step) && pattern(step) != Some(DIGITS),
        _ => false,
    }
}

/// The steps of a pre-tokenizer, of which it may be one itself.
fn steps(pre: &Value) -> &[Value] {
    pre["pretokenizers"].as_array().map_or(std::slice::from_ref(pre), Vec::as_slice)
}

/// Whether a step does to a piece what it does to that part of the text. A pattern that nobody looked at may see the text's end.
fn is_local(step: &Value) -> bool {
    match step["type"].as_str() {
        Some("ByteLevel") => step["add_prefix_space"] == false,
        Some("Split") => {
            let known =
                |pattern| pattern == DIGITS || PreTokenizer::word_patterns().iter().any(|p| p == pattern);
            step["behavior"] == "Isolated" && step["invert"] == false && pattern(step).is_some_and(known)
        }
        Some("Digits") => true,
        _ => false,
    }
}

fn pattern(split: &Value) -> Option<&str> {
    split["pattern"]["Regex"].as_str()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tokenizer::{Parsed, parse};

    /// A vocabulary of bytes and some merges, among them ones that would join words if they could.
    pub(in crate::tokenizer::words) fn tokenizer(pre: &Value, normalizer: &Value) -> Parsed {
        tokenizer_of(pre, normalizer, false)
    }

    /// The same; `whole` has words that are tokens taken whole.
    fn tokenizer_of(pre: &Value, normalizer: &Value, whole: bool) -> Parsed {
        let bytes = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut letters: Vec<String> = bytes.into_iter().map(String::from).collect();
        letters.sort_unstable();
        // Tokens that no merge makes.
        letters.extend(["Ġab", "abab"].map(String::from));
        let merges = ["Ġ a", "Ġa n", "a b", "ab a", "b Ġ", "Ċ a", ". Ġ", "1 Ġ", "Ġ Ġ", "Ċ Ċ"];
        letters.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        let vocab: serde_json::Map<String, Value> =
            letters.into_iter().enumerate().map(|(id, letter)| (letter, json!(id))).collect();
        let template = json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|x|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"<|x|>": {"id": "<|x|>", "ids": [vocab.len()], "tokens": ["<|x|>"]}}
        });
        let added = json!([{"id": vocab.len(), "content": "<|x|>", "single_word": false, "lstrip": false, "rstrip": false,
                            "normalized": false, "special": true}]);
        let json = json!({"version": "1.0", "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": template,
                          "model": {"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": whole}});
        parse(json.to_string().as_bytes()).unwrap()
    }

    fn words(Parsed { inner, merges }: Parsed) -> (tokenizers::Tokenizer, Option<Words>) {
        let words = Words::of(&inner, merges);
        (inner, words)
    }

    fn kinds() -> Vec<Parsed> {
        let byte_level =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let digits = json!({"type": "Digits", "individual_digits": true});
        let gpt2 = PreTokenizer::named("gpt-2").unwrap().json();
        let mut steps = vec![
            byte_level.clone(),
            gpt2,
            json!({"type": "Sequence", "pretokenizers": [digits, byte_level]}),
        ];
        for name in ["llama3", "qwen2", "minicpm5", "seed-coder"] {
            steps.push(PreTokenizer::named(name).unwrap().json());
        }
        let nfc = json!({"type": "NFC"});
        let of = |whole: bool| steps.iter().map(move |step| (step, whole));
        of(false).chain(of(true)).map(|(step, whole)| tokenizer_of(step, &nfc, whole)).collect()
    }

    proptest! {
        #[test]
        fn a_text_has_the_ids_that_the_library_gives_it(
            text in proptest::collection::vec(
                prop_oneof![Just(" "), Just("\n"), Just("a"), Just("ab"), Just(" Ab"), Just("B"), Just(","), Just("1"), Just("."), Just("'s"), Just("é"), Just("e\u{301}"),
                            Just("\r"), Just("\t"), Just("\u{a0}"), Just("字"), Just("<|x|>"), Just("/"), Just("\u{301}"), Just(" ("), Just("\""), Just(" 12"), Just("9876"), Just("_"), Just(".\n"), Just("'"), Just("RE"), Just("ll")], 0..40)
        ) {
            let text = text.concat();
            for (tokenizer, words) in kinds().into_iter().map(words) {
                let words = words.unwrap();
                for special in [false, true] {
                    let want = tokenizer.encode_fast(text.as_str(), special).unwrap().get_ids().to_vec();
                    prop_assert_eq!(&words.encode(&tokenizer, &text, special).unwrap(), &want);
                    // From memory.
                    prop_assert_eq!(&words.encode(&tokenizer, &text, special).unwrap(), &want);
                }
            }
        }
    }

    #[test]
    fn tokenizers_that_cut_otherwise_are_left_alone() {
        let prefixed =
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        let uncut =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
        let metaspace =
            json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let sequence = |steps: &[Value]| json!({"type": "Sequence", "pretokenizers": steps});
        let word = split(&PreTokenizer::plain_pattern());
        let too_late = sequence(&[uncut.clone(), word.clone()]);
        let sees_the_end = sequence(&[split(r"\s+$"), word, uncut.clone()]);
        let digits_alone = sequence(&[split(DIGITS), uncut.clone()]);
        for pre in [&prefixed, &uncut, &metaspace, &too_late, &sees_the_end, &digits_alone, &Value::Null] {
            assert!(words(tokenizer(pre, &Value::Null)).1.is_none(), "{pre}");
        }
        let lower = json!({"type": "Lowercase"});
        assert!(words(tokenizer(&PreTokenizer::plain().json(), &lower)).1.is_none());
        assert!(words(tokenizer(&PreTokenizer::plain().json(), &Value::Null)).1.is_some());
    }

    #[test]
    fn ascii_goes_past_the_library_where_its_cuts_are_known() {
        let known = |parsed: Parsed| words(parsed).1.unwrap().ascii.is_some();
        let known: Vec<bool> = kinds().into_iter().map(known).collect();
        assert_eq!(known, [true, true, true, true, true, false, false].repeat(2));
    }

    #[test]
    fn an_added_token_within_words_is_found() {
        for content in ["aba", "a,b"] {
            let mut parsed = tokenizer(&PreTokenizer::plain().json(), &Value::Null);
            parsed.inner.add_tokens([tokenizers::AddedToken::from(content, false)]).unwrap();
            let (tokenizer, words) = words(parsed);
            let text = format!(" c{content}l");
            let want = tokenizer.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
            assert_eq!(words.unwrap().encode(&tokenizer, &text, false).unwrap(), want);
        }
    }

    #[test]
    fn pieces_lie_end_to_end() {
        let list = |text| pieces(text).collect::<Vec<_>>();
        assert_eq!(list("The cat, sat 3 \n\nDown\ndeep"), ["The", " cat,", " sat", " 3 \n\nDown\n", "deep"]);
        assert!(list("").is_empty());
        assert_eq!(list(" a"), [" a"]);
    }
}
