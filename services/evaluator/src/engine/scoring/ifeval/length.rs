//! `length_constraints:*`: how long an answer is, in sentences, words and paragraphs.

use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::sentences::sentences;
use crate::engine::python;

static DIVIDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\s?\*\*\*\s?").expect("the pattern is valid"));
static RUN_OF_WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w+").expect("the pattern is valid"));

/// Sentences.
pub(super) fn number_sentences(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let count = sentences(answer)?.len();
    Ok(arguments.relation("relation")?.holds(count, arguments.count("num_sentences")?))
}

/// Words: runs of `\w`, which nltk 3.10 reads as Rust does, combining marks included.
pub(super) fn number_words(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let count = RUN_OF_WORD.find_iter(answer).count();
    Ok(arguments.relation("relation")?.holds(count, arguments.count("num_words")?))
}

/// Exactly so many paragraphs, divided by `***`; only the first and the last may be empty.
pub(super) fn number_paragraphs(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let paragraphs: Vec<&str> = DIVIDER.split(answer).collect();
    let last = paragraphs.len() - 1;
    let mut count = paragraphs.len();
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if python::strip(paragraph).is_empty() {
            if index != 0 && index != last {
                return Ok(false);
            }
            count -= 1;
        }
    }
    Ok(count == arguments.count("num_paragraphs")?)
}

/// Exactly so many paragraphs, divided by an empty line, one of which begins with a word.
pub(super) fn nth_paragraph_first_word(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let (nth, wanted) = (arguments.count("nth_paragraph")?, arguments.count("num_paragraphs")?);
    let paragraphs: Vec<&str> = answer.split("\n\n").collect();
    let count = paragraphs.iter().filter(|paragraph| !python::strip(paragraph).is_empty()).count();
    if nth > count {
        return Ok(false);
    }
    // The nth of all paragraphs, the empty ones counted.
    let first = paragraphs.get(nth - 1).and_then(|paragraph| python::split(paragraph).next());
    let Some(first) = first else { return Ok(false) };
    let bare = first.trim_start_matches('\'').trim_start_matches('"');
    let word: String =
        bare.chars().take_while(|c| !matches!(c, '.' | ',' | '?' | '!' | '\'' | '"')).collect();
    Ok(count == wanted && word.to_lowercase() == arguments.text("first_word")?.to_lowercase())
}
