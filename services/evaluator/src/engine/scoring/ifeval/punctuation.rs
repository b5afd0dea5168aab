//! `punctuation:*`: signs that an answer must not have.

/// No comma.
pub(super) fn no_comma(answer: &str) -> bool {
    !answer.contains(',')
}
