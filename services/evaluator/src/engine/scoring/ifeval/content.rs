//! `detectable_content:*`: placeholders and postscripts.

use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::patterns::occurs;

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[.*?\]").expect("the pattern is valid"));

/// At least so many placeholders in square brackets.
pub(super) fn number_placeholders(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    Ok(PLACEHOLDER.find_iter(answer).count() >= arguments.count("num_placeholders")?)
}

/// A postscript that begins with the marker.
pub(super) fn postscript(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let marker = arguments.text("postscript_marker")?;
    let pattern = match marker {
        "P.P.S" => r"p\.\s?p\.\s?s".to_owned(),
        "P.S." => r"p\.\s?s\.".to_owned(),
        other => other.to_lowercase(),
    };
    let pattern = fancy_regex::Regex::new(&format!(r"(?m)\s*{pattern}.*$"))
        .map_err(|error| format!("{marker:?} is no pattern: {error}"))?;
    occurs(&pattern, &answer.to_lowercase())
}
