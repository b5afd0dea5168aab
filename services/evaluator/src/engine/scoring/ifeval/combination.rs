//! `combination:*`: two answers in one, the prompt repeated.

use super::arguments::Arguments;
use crate::engine::python;

/// Two different answers, divided by six asterisks.
pub(super) fn two_responses(answer: &str) -> bool {
    let parts: Vec<&str> = answer.split("******").map(python::strip).collect();
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    let filled: Vec<&&str> = parts.iter().filter(|part| !part.is_empty()).collect();
    inner.iter().all(|part| !part.is_empty()) && filled.len() == 2 && filled[0] != filled[1]
}

/// The answer begins with the prompt.
pub(super) fn repeat_prompt(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let prompt = arguments.text("prompt_to_repeat")?.to_lowercase();
    Ok(python::strip(answer).to_lowercase().starts_with(&prompt))
}
