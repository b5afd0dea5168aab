//! `startend:*`: how an answer begins and ends.

use super::arguments::Arguments;
use crate::engine::python;

/// The answer ends with the phrase.
pub(super) fn end_checker(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let answer = python::strip(answer).trim_matches('"').to_lowercase();
    Ok(answer.ends_with(&arguments.text("end_phrase")?.to_lowercase()))
}

/// The answer is wrapped in double quotation marks.
pub(super) fn quotation(answer: &str) -> bool {
    let answer = python::strip(answer);
    answer.len() > 1 && answer.starts_with('"') && answer.ends_with('"')
}
