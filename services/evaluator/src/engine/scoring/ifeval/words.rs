//! English words, as `nltk.word_tokenize` splits them: the Penn Treebank's rules (MacIntyre 1995) with nltk's additions,
//! sentence by sentence.

use std::sync::LazyLock;

use fancy_regex::Regex;

use super::sentences::sentences;
use crate::engine::python;

/// Patterns and what replaces them, in order. Before the quotes that close, the text is padded with a space at each end.
const OPENING: [(&str, &str); 18] = [
    (r"([«“‘„]|`+)", " ${1} "),
    (r#"^""#, "``"),
    (r"(``)", " ${1} "),
    (r#"([ (\[{<])("|'{2})"#, "${1} `` "),
    (r"(?i)(?<![\p{L}\p{N}_])(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=[\p{L}\p{N}_])", "${1} "),
    (r#"([^.])(\.)([\])}>"'»”’ ]*+)\s*$"#, "${1} ${2} ${3} "),
    (r"([:,])([^\d])", " ${1} ${2}"),
    (r"([:,])$", " ${1} "),
    (r"(\.{2,})", " ${1} "),
    (r"([;@#$%&])", " ${1} "),
    (r"([\u{2012}-\u{2015}])", " ${1} "),
    (r#"([^.])(\.)([\])}>"']*)\s*$"#, "${1} ${2}${3} "),
    (r"([?!])", " ${1} "),
    (r"([^'])' ", "${1} ' "),
    (r"(\*)", " ${1} "),
    (r"([\]\[(){}<>])", " ${1} "),
    (r"--", " -- "),
    (r"^|$", " "),
];

const CLOSING: [(&str, &str); 16] = [
    (r"([»”’])", " ${1} "),
    (r"''", " '' "),
    (r#"""#, " '' "),
    (r"\s+", " "),
    (r"([^' ])('[sS]|'[mM]|'[dD]|') ", "${1} ${2} "),
    (r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "${1} ${2} "),
    (r"(?i)\b(can)(not)\b", " ${1} ${2} "),
    (r"(?i)\b(d)('ye)\b", " ${1} ${2} "),
    (r"(?i)\b(gim)(me)\b", " ${1} ${2} "),
    (r"(?i)\b(gon)(na)\b", " ${1} ${2} "),
    (r"(?i)\b(got)(ta)\b", " ${1} ${2} "),
    (r"(?i)\b(lem)(me)\b", " ${1} ${2} "),
    (r"(?i)\b(more)('n)\b", " ${1} ${2} "),
    (r"(?i)\b(wan)(na)(?=\s)", " ${1} ${2} "),
    (r"(?i) ('t)(is)\b", " ${1} ${2} "),
    (r"(?i) ('t)(was)\b", " ${1} ${2} "),
];

static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    OPENING
        .iter()
        .chain(&CLOSING)
        .map(|(pattern, replacement)| (Regex::new(pattern).expect("the pattern is valid"), *replacement))
        .collect()
});

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for sentence in sentences(text)? {
        let mut spaced = sentence.to_owned();
        for (pattern, replacement) in RULES.iter() {
            let replaced = pattern.try_replacen(&spaced, 0, *replacement);
            spaced =
                replaced.map_err(|error| format!("the words could not be told apart: {error}"))?.into_owned();
        }
        words.extend(python::split(&spaced).map(str::to_owned));
    }
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn words_are_nltks() {
        // " ".join(nltk.word_tokenize(text)) of nltk 3.10
        for (text, expected) in [
            ("I'm sure they don't. We CANNOT (ever) go!", "I 'm sure they do n't . We CAN NOT ( ever ) go !"),
            (
                "\"Hello,\" she said: 'Bye' at 10:30--ok; 50% of A&B...",
                "`` Hello , '' she said : ' Bye ' at 10:30 -- ok ; 50 % of A & B ...",
            ),
            (
                "gimme that, 'tis Tom's; L.A.-based e.g. [this]. wanna go?",
                "gim me that , ' tis Tom 's ; L.A.-based e.g . [ this ] . wan na go ?",
            ),
            (
                "«Oui» “yes” ‘no’ a–b *x* #1 $5 two words.",
                "« Oui » “ yes ” ‘ no ’ a – b * x * # 1 $ 5 two words .",
            ),
        ] {
            assert_eq!(words(text).unwrap().join(" "), expected);
        }
    }
}
