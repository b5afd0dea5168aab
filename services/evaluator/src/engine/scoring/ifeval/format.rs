//! `detectable_format:*`: lists, highlights, sections, titles, JSON, fixed answers.

use std::sync::LazyLock;

use regex::Regex;
use serde::de::IgnoredAny;

use super::arguments::Arguments;
use super::patterns::occurrences;
use crate::engine::python;

/// The answers that `constrained_response` allows.
const ALLOWED: [&str; 3] = ["My answer is yes.", "My answer is no.", "My answer is maybe."];

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

static STARRED_ITEM: LazyLock<Regex> = LazyLock::new(|| compile(r"(?m)^\s*\*[^*].*$"));
static DASHED_ITEM: LazyLock<Regex> = LazyLock::new(|| compile(r"(?m)^\s*-.*$"));
static HIGHLIGHT: LazyLock<Regex> = LazyLock::new(|| compile(r"\*[^\n*]*\*"));
static STRONG_HIGHLIGHT: LazyLock<Regex> = LazyLock::new(|| compile(r"\*\*[^\n*]*\*\*"));
static TITLE: LazyLock<Regex> = LazyLock::new(|| compile(r"<<[^\n]+>>"));
/// JSON strings, and what Python reads as numbers besides.
static STRING_OR_NOT_A_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| compile(r#""(?:[^"\\]|\\.)*"|-?Infinity|NaN"#));

/// Exactly so many items.
pub(super) fn number_bullet_lists(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let count = STARRED_ITEM.find_iter(answer).count() + DASHED_ITEM.find_iter(answer).count();
    Ok(count == arguments.count("num_bullets")?)
}

/// One of the fixed answers occurs.
pub(super) fn constrained_response(answer: &str) -> bool {
    ALLOWED.iter().any(|allowed| answer.contains(allowed))
}

/// At least so many highlights that are not empty; strong ones count by both patterns.
pub(super) fn number_highlighted_sections(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let filled = |text: &str| !python::strip(text).is_empty();
    let single = HIGHLIGHT.find_iter(answer).filter(|found| filled(found.as_str().trim_matches('*')));
    let strong = STRONG_HIGHLIGHT.find_iter(answer).filter(|found| {
        let text = found.as_str();
        let text = text.strip_prefix("**").unwrap_or(text);
        filled(text.strip_suffix("**").unwrap_or(text))
    });
    Ok(single.count() + strong.count() >= arguments.count("num_highlights")?)
}

/// At least so many sections, each opened by the splitter and a number.
pub(super) fn multiple_sections(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let splitter = arguments.text("section_spliter")?;
    let pattern = fancy_regex::Regex::new(&format!(r"\s?{splitter}\s?\d+\s?"))
        .map_err(|error| format!("{splitter:?} is no pattern: {error}"))?;
    Ok(occurrences(&pattern, answer)? >= arguments.count("num_sections")?)
}

/// All of it is JSON as Python reads it, in a code block or not.
pub(super) fn json_format(answer: &str) -> bool {
    let mut text = python::strip(answer);
    for opening in ["```json", "```Json", "```JSON", "```"] {
        text = text.strip_prefix(opening).unwrap_or(text);
    }
    let text = python::strip(text.strip_suffix("```").unwrap_or(text));
    let plain = STRING_OR_NOT_A_NUMBER.replace_all(text, |found: &regex::Captures<'_>| {
        if found[0].starts_with('"') { found[0].to_owned() } else { " 0 ".to_owned() }
    });
    serde_json::from_str::<IgnoredAny>(&plain).is_ok()
}

/// A title in double angle brackets.
pub(super) fn title(answer: &str) -> bool {
    TITLE.find_iter(answer).any(|found| {
        let inside = found.as_str().trim_start_matches('<').trim_end_matches('>');
        !python::strip(inside).is_empty()
    })
}
