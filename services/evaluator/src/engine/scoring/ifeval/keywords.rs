//! `keywords:*`: words and letters that an answer must or must not have.

use super::arguments::Arguments;
use super::patterns::{ignoring_case, occurrences, occurs, whole_word};

/// Every keyword occurs.
pub(super) fn existence(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    for keyword in arguments.texts("keywords")? {
        if !occurs(&ignoring_case(keyword)?, answer)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The keyword occurs often, or seldom, enough.
pub(super) fn frequency(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let count = occurrences(&ignoring_case(arguments.text("keyword")?)?, answer)?;
    Ok(arguments.relation("relation")?.holds(count, arguments.count("frequency")?))
}

/// No forbidden word occurs.
pub(super) fn forbidden_words(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    for word in arguments.texts("forbidden_words")? {
        if occurs(&whole_word(word)?, answer)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The letter occurs often, or seldom, enough. A sign that is no letter is counted as given; the reference would draw a
/// letter in its place.
pub(super) fn letter_frequency(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let letter = arguments.text("letter")?.to_lowercase();
    let mut characters = letter.chars();
    let (Some(letter), None) = (characters.next(), characters.next()) else {
        return Err(format!("instruction {}: `letter` is {letter:?}, not one letter", arguments.instruction));
    };
    let count = answer.to_lowercase().chars().filter(|character| *character == letter).count();
    Ok(arguments.relation("let_relation")?.holds(count, arguments.count("let_frequency")?))
}
