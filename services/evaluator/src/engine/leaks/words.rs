//! Text as the words that are compared: lower-case, without punctuation, white space between them.
//!
//! "A gram is a lowercase, whitespace-delimited word with no punctuation" (Brown et al. 2020, appendix C). Scripts that write
//! no spaces would be one word a sentence: there each character is a word.

use serde_json::Value;

/// Appends the hash of each word of a text.
pub(super) fn hash_words(text: &str, hashes: &mut Vec<u64>) {
    each_word(text, |word| hashes.push(hash(word)));
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word.to_owned()));
    words
}

/// Calls `f` with every text in a value, in order.
pub(super) fn each_text<'a>(value: &'a Value, f: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => f(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, f)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, f)),
        _ => {}
    }
}

fn each_word(text: &str, mut f: impl FnMut(&str)) {
    let mut word = String::new();
    for piece in text.split_whitespace() {
        for character in piece.chars().filter(|character| character.is_alphanumeric()) {
            if is_a_word_alone(character) {
                if !word.is_empty() {
                    f(&word);
                    word.clear();
                }
                f(character.encode_utf8(&mut [0; 4]));
            } else {
                word.extend(character.to_lowercase());
            }
        }
        if !word.is_empty() {
            f(&word);
            word.clear();
        }
    }
}

/// Han characters and kana.
fn is_a_word_alone(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// FNV-1a, its bits mixed.
fn hash(word: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(word.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// The finaliser of SplitMix64 (Steele et al. 2014): every bit depends on every other.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn case_punctuation_and_space_do_not_matter() {
        assert_eq!(
            words("  Don't “STOP”, state-of-the-art…\n(now) — 3.14"),
            ["dont", "stop", "stateoftheart", "now", "314"]
        );
        assert_eq!(words("GPT模型 很好。"), ["gpt", "模", "型", "很", "好"]);
        assert_eq!(words(" … "), [""; 0]);
    }

    #[test]
    fn texts_are_found_in_their_order() {
        let value = json!({"b": "one", "a": [{"x": "two"}, 3, "three"], "c": null});
        let mut found = Vec::new();
        each_text(&value, &mut |text| found.push(text));
        assert_eq!(found, ["one", "two", "three"]);
    }
}
