//! `str` and `re` where CPython's idea of white space, case and words is not Rust's.

/// The class `\w` of Python's `re`: letters, numbers and the underscore, but (unlike Rust's) no combining marks.
pub const WORD: &str = r"[\p{L}\p{N}_]";

/// `str.isspace` of one character: Unicode's white space and the four separators U+001C to U+001F.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.split()`.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|part| !part.is_empty())
}

/// `str.isupper()`: there is a letter with case, and none is lower or title case.
pub fn is_upper(text: &str) -> bool {
    let lower = |character: char| character.is_lowercase() || is_title(character);
    text.chars().any(char::is_uppercase) && !text.chars().any(lower)
}

/// `str.islower()`: there is a letter with case, and none is upper or title case.
pub fn is_lower(text: &str) -> bool {
    let upper = |character: char| character.is_uppercase() || is_title(character);
    text.chars().any(char::is_lowercase) && !text.chars().any(upper)
}

/// The digraphs such as ǅ: neither upper nor lower case, yet with a lower case of their own.
fn is_title(character: char) -> bool {
    !character.is_lowercase() && !character.is_uppercase() && character.to_lowercase().ne([character])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_case_are_pythons() {
        assert_eq!(strip("\u{1f} a b\u{a0}\u{85}"), "a b");
        assert_eq!(split(" a\u{1c}b \n c").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(is_upper("A1, É!") && !is_upper("1!") && !is_upper("Aa") && !is_upper("Aǅ"));
        assert!(is_lower("a1, é!") && !is_lower("नमस्ते") && !is_lower("aA") && !is_lower("aǅ"));
    }
}
