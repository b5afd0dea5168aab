//! `change_case:*`: upper and lower case.

use super::arguments::Arguments;
use super::language::detect;
use super::words::words;
use crate::engine::python;

/// Words in upper case occur often, or seldom, enough.
pub(super) fn capital_word_frequency(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let count = words(answer)?.iter().filter(|word| python::is_upper(word)).count();
    Ok(arguments.relation("capital_relation")?.holds(count, arguments.count("capital_frequency")?))
}

/// English in upper case.
pub(super) fn english_capital(answer: &str) -> bool {
    python::is_upper(answer) && is_english(answer)
}

/// English in lower case.
pub(super) fn english_lowercase(answer: &str) -> bool {
    python::is_lower(answer) && is_english(answer)
}

/// What has no language counts as English.
fn is_english(answer: &str) -> bool {
    detect(answer).is_none_or(|language| language == "en")
}
