//! The few pieces of Python that the reference harness's results depend on: `repr` and `str`, literals, `json.dumps`,
//! patterns, white space and case. Each follows CPython 3.11 for the values that occur in datasets; none is a general port.
//! (`random.Random` is in `anneal-comparison`, which draws with it too.)

mod json;
mod literal;
mod pattern;
mod repr;
mod text;

pub use json::dumps;
pub use literal::{LiteralError, literal_eval};
pub use pattern::{pattern, without};
pub use repr::{float_repr, repr, str_of};
pub use text::{WORD, is_lower, is_space, is_upper, split, strip};

/// Python's `str.isdigit` for the ASCII digits, which are the only ones templates produce as indices.
pub fn is_digit(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Python's `str.capitalize`: the first character upper case, all others lower case.
pub fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + &characters.as_str().to_lowercase())
        .unwrap_or_default()
}

/// `len(re.split(r"\s+", text))`: one more than the runs of white space.
pub fn count_words(text: &str) -> usize {
    let mut runs = 0;
    let mut inside = false;
    for character in text.chars() {
        let space = is_space(character);
        runs += usize::from(space && !inside);
        inside = space;
    }
    runs + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_re_split_does() {
        assert_eq!(count_words(""), 1);
        assert_eq!(count_words("one two\n\nthree"), 3);
        assert_eq!(count_words(" = Title =\n"), 5, "leading and trailing runs count an empty word each");
    }

    #[test]
    fn capitalize_lowers_the_rest() {
        assert_eq!(capitalize("the LADY"), "The lady");
        assert_eq!(capitalize(""), "");
    }
}
