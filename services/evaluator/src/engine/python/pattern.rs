//! Python's regular expressions in the engine at hand: where both spell the same thing otherwise, the pattern is
//! rewritten.

use fancy_regex::Regex;

/// Compiles a pattern of Python's `re`. `$` also matches before a last line break, and `\Z` only at the very end.
pub fn pattern(python: &str) -> Result<Regex, String> {
    Regex::new(&translated(python)).map_err(|error| error.to_string())
}

/// `re.sub(pattern, "", text)`; an error when the pattern backtracks too long.
pub fn without(pattern: &Regex, text: &str) -> Result<String, String> {
    let left = pattern.try_replacen(text, 0, "");
    left.map(std::borrow::Cow::into_owned).map_err(|error| format!("{:?} gave up: {error}", pattern.as_str()))
}

fn translated(python: &str) -> String {
    let multiline = is_multiline(python);
    let mut out = String::with_capacity(python.len());
    let mut characters = python.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('Z') if !in_class => out.push_str("\\z"),
                Some(escaped) => out.extend(['\\', escaped]),
                None => out.push('\\'),
            },
            '$' if !in_class && !multiline => out.push_str("(?=\\n?\\z)"),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that comes first belongs to the class.
                let rest = characters.as_str();
                let inverted = usize::from(rest.starts_with('^'));
                out.push_str(&rest[..inverted]);
                let closing = usize::from(rest[inverted..].starts_with(']'));
                out.push_str(&"\\]"[..2 * closing]);
                let taken = inverted + closing;
                characters = rest[taken..].chars();
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            other => out.push(other),
        }
    }
    out
}

/// Whether inline flags switch `m` on, where `$` matches at every line's end in both dialects.
fn is_multiline(python: &str) -> bool {
    python.match_indices("(?").any(|(at, _)| {
        let flags: String = python[at + 2..].chars().take_while(char::is_ascii_lowercase).collect();
        flags.contains('m')
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_matches_before_the_last_line_break_only() {
        // re.sub(r"\.$", "", …)
        let dot = pattern("\\.$").unwrap();
        assert_eq!(without(&dot, "42.\n").unwrap(), "42\n");
        assert_eq!(without(&dot, "42.").unwrap(), "42");
        assert_eq!(without(&dot, "4.\n2.\n\n").unwrap(), "4.\n2.\n\n");
        let lines = pattern("(?m)\\.$").unwrap();
        assert_eq!(without(&lines, "4.\n2.").unwrap(), "4\n2");
        let end = pattern("\\.\\Z").unwrap();
        assert_eq!(without(&end, "42.\n").unwrap(), "42.\n");
    }

    #[test]
    fn a_dollar_that_is_one_stays_one() {
        assert_eq!(translated("(-?[$0-9.,]{2,})|\\$[]$]"), "(-?[$0-9.,]{2,})|\\$[\\]$]");
        assert_eq!(translated("[^]a$]+"), "[^\\]a$]+");
    }

    #[test]
    fn a_pattern_that_backtracks_without_end_is_an_error() {
        let hard = pattern("(?:(a|a)*)*(?=b)c").unwrap();
        assert!(without(&hard, &"a".repeat(60)).unwrap_err().contains("gave up"));
    }
}
