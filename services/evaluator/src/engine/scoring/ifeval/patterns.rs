//! A row's words as patterns: the reference gives them to Python's `re`, upper and lower case alike.

use fancy_regex::Regex;

use crate::engine::python::WORD;

/// Compiles a row's word.
pub(super) fn ignoring_case(word: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?i){word}")).map_err(|error| format!("{word:?} is no pattern: {error}"))
}

/// Compiles a row's word, to be found as a whole word only. A word begins and ends where Python's `\b` says so.
pub(super) fn whole_word(word: &str) -> Result<Regex, String> {
    let edge = format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))");
    ignoring_case(&format!("{edge}{word}{edge}"))
}

/// Whether the pattern is found.
pub(super) fn occurs(pattern: &Regex, text: &str) -> Result<bool, String> {
    pattern.is_match(text).map_err(|error| gave_up(&error))
}

/// How often the pattern is found, without overlaps.
pub(super) fn occurrences(pattern: &Regex, text: &str) -> Result<usize, String> {
    pattern
        .find_iter(text)
        .try_fold(0, |count, found| found.map(|_| count + 1))
        .map_err(|error| gave_up(&error))
}

fn gave_up(error: &fancy_regex::Error) -> String {
    format!("a row's pattern gave up: {error}")
}
