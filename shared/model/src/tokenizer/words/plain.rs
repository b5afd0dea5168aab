//! Plain words, which need no pattern to be cut.

use tokenizers::models::bpe::BPE;
use tokenizers::{Model, PreTokenizedString, PreTokenizer as _};

/// Marks that stand alone behind a word.
const MARKS: &[u8] = b",.;:";

/// The ids of a word or a mark of [`plain_word`].
pub(super) fn merge(model: &BPE, part: &str, out: &mut Vec<u32>) -> tokenizers::Result<()> {
    if !part.is_empty() {
        // The byte-level letter of a space.
        let tokens = match part.strip_prefix(' ') {
            Some(word) => model.tokenize(&format!("\u{120}{word}")),
            None => model.tokenize(part),
        }?;
        out.extend(tokens.into_iter().map(|token| token.id));
    }
    Ok(())
}

/// A piece of one English word (a space, a letter of any case, small letters) and at most one mark behind it.
pub(super) fn plain_word(piece: &str) -> Option<(&str, &str)> {
    let (word, mark) = match piece.as_bytes() {
        [word @ .., last] if MARKS.contains(last) => piece.split_at(word.len()),
        _ => (piece, ""),
    };
    let [first, rest @ ..] = word.strip_prefix(' ').unwrap_or(word).as_bytes() else { return None };
    (first.is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_lowercase)).then_some((word, mark))
}

/// Whether a tokenizer cuts every [`plain_word`] into word and mark, writes it in byte-level letters and looks for nothing else in it.
pub(super) fn keeps_plain_words(tokenizer: &tokenizers::Tokenizer) -> bool {
    let elsewhere =
        |c: char| !(c.is_ascii_alphabetic() || c == ' ' || c.is_ascii() && MARKS.contains(&(c as u8)));
    let mut probe = PreTokenizedString::from(" Word,");
    let cut = tokenizer.get_pre_tokenizer().is_some_and(|step| step.pre_tokenize(&mut probe).is_ok());
    let parts = probe.get_splits(tokenizers::OffsetReferential::Original, tokenizers::OffsetType::Byte);
    let parts: Vec<&str> = parts.iter().map(|part| part.0).collect();
    let added = tokenizer.get_added_tokens_decoder();
    cut && parts == ["\u{120}Word", ","] && added.values().all(|token| token.content.contains(elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_told_from_others() {
        for (piece, parts) in [(" cat", (" cat", "")), ("A.", ("A", ".")), (" Cats,", (" Cats", ","))] {
            assert_eq!(plain_word(piece), Some(parts), "{piece}");
        }
        for piece in ["", " ", ",", " cat's", "caT", "cat\n", " cat,,", " 3", "é", "  cat", "cat "] {
            assert_eq!(plain_word(piece), None, "{piece}");
        }
    }
}
