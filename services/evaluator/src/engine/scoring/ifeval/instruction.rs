//! The 25 instructions by their ids.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::{change_case, combination, content, format, keywords, language, length, punctuation, startend};
use crate::engine::python;

/// Whether an answer that is not empty follows an instruction.
#[derive(Clone, Copy)]
enum Check {
    /// That has no arguments.
    Plain(fn(&str) -> bool),
    /// That has arguments.
    Given(fn(&Arguments<'_>, &str) -> Result<bool, String>),
}

const CHECKS: [(&str, Check); 25] = [
    ("keywords:existence", Check::Given(keywords::existence)),
    ("keywords:frequency", Check::Given(keywords::frequency)),
    ("keywords:forbidden_words", Check::Given(keywords::forbidden_words)),
    ("keywords:letter_frequency", Check::Given(keywords::letter_frequency)),
    ("language:response_language", Check::Given(language::response_language)),
    ("length_constraints:number_sentences", Check::Given(length::number_sentences)),
    ("length_constraints:number_paragraphs", Check::Given(length::number_paragraphs)),
    ("length_constraints:number_words", Check::Given(length::number_words)),
    ("length_constraints:nth_paragraph_first_word", Check::Given(length::nth_paragraph_first_word)),
    ("detectable_content:number_placeholders", Check::Given(content::number_placeholders)),
    ("detectable_content:postscript", Check::Given(content::postscript)),
    ("detectable_format:number_bullet_lists", Check::Given(format::number_bullet_lists)),
    ("detectable_format:constrained_response", Check::Plain(format::constrained_response)),
    ("detectable_format:number_highlighted_sections", Check::Given(format::number_highlighted_sections)),
    ("detectable_format:multiple_sections", Check::Given(format::multiple_sections)),
    ("detectable_format:json_format", Check::Plain(format::json_format)),
    ("detectable_format:title", Check::Plain(format::title)),
    ("combination:two_responses", Check::Plain(combination::two_responses)),
    ("combination:repeat_prompt", Check::Given(combination::repeat_prompt)),
    ("startend:end_checker", Check::Given(startend::end_checker)),
    ("startend:quotation", Check::Plain(startend::quotation)),
    ("change_case:capital_word_frequency", Check::Given(change_case::capital_word_frequency)),
    ("change_case:english_capital", Check::Plain(change_case::english_capital)),
    ("change_case:english_lowercase", Check::Plain(change_case::english_lowercase)),
    ("punctuation:no_comma", Check::Plain(punctuation::no_comma)),
];

/// The ids of all instructions.
#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(id, _)| *id)
}

/// One instruction of a row.
pub(super) struct Instruction<'a> {
    arguments: Arguments<'a>,
    check: Check,
}

impl<'a> Instruction<'a> {
    /// Finds the check of an id.
    pub(super) fn new(id: &'a str, given: Option<&'a Map<String, Value>>) -> Result<Self, String> {
        let (_, check) = CHECKS.iter().find(|(known, _)| *known == id).ok_or_else(|| {
            format!("`instruction_id_list` names {id:?}, which is no instruction of IFEval")
        })?;
        Ok(Self { arguments: Arguments { instruction: id, given }, check: *check })
    }

    /// Whether an answer follows it; an empty one follows nothing.
    pub(super) fn follows(&self, answer: &str) -> Result<bool, String> {
        if python::strip(answer).is_empty() {
            return Ok(false);
        }
        match self.check {
            Check::Plain(check) => Ok(check(answer)),
            Check::Given(check) => check(&self.arguments, answer),
        }
    }
}
