//! Short pieces of ASCII, cut as the patterns that everybody uses cut them.

use serde_json::Value;

use super::merges::Merges;
use super::{pattern, steps};
use crate::tokenizer::pre_tokenizer::{Digits, PreTokenizer};

/// Encodes pieces without the library's patterns and merges: to the same ids, many times sooner.
#[derive(Debug)]
pub(super) struct Ascii {
    cuts: Cuts,
    merges: Merges,
    /// By byte: whether a piece with it is left to the library.
    refused: [bool; 256],
}

/// What follows an apostrophe in a contraction.
const CONTRACTED: [&[u8]; 7] = [b"s", b"t", b"re", b"ve", b"m", b"ll", b"d"];

/// The pattern of a pre-tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cuts {
    /// GPT-2's: contractions, and words, numbers and marks with a space before them; or digits one by one, before everything else.
    Gpt2 { single_digits: bool },
    /// GPT-4's: contractions in any case, words with a space or a mark before them, so many digits, marks with a space before and line
    /// ends behind them.
    Gpt4 { digits: Digits },
}

impl Cuts {
    fn of(pre: &Value) -> Option<Self> {
        let steps = steps(pre);
        let (digits, rest) = match steps {
            [first, rest @ ..] if first["type"] == "Digits" => {
                (Some(first["individual_digits"] == true), rest)
            }
            all => (None, all),
        };
        let pattern = match rest {
            [bytes] if bytes["type"] == "ByteLevel" && bytes["use_regex"] == true => {
                return (digits != Some(false)).then_some(Self::Gpt2 { single_digits: digits.is_some() });
            }
            [split, bytes] if bytes["type"] == "ByteLevel" && bytes["use_regex"] == false => pattern(split)?,
            _ => return None,
        };
        let named = |digits: &Digits| PreTokenizer::gpt4_pattern(*digits) == pattern;
        let digits = Digits::ALL.into_iter().find(named).filter(|_| digits.is_none())?;
        Some(Self::Gpt4 { digits })
    }

    /// How many bytes of a text, which is not empty, its first part has. White space is single spaces, and a line feed at the end.
    fn first_part(self, text: &[u8]) -> usize {
        if let Some(contraction) = self.contraction(text) {
            return contraction;
        }
        let class = |at: usize| text.get(at).map(|&byte| Class::of(byte));
        let run = |from: usize| from + (from..text.len()).take_while(|&at| class(at) == class(from)).count();
        let (first, next) = (Class::of(text[0]), class(1));
        match self {
            // Digits were cut out before all else: each is alone, and so is a space before one.
            Self::Gpt2 { single_digits: true } if first == Class::Digit => 1,
            Self::Gpt2 { single_digits: true } if first == Class::Space && next == Some(Class::Digit) => 1,
            Self::Gpt2 { .. } => run(usize::from(first == Class::Space && next.is_some())),
            Self::Gpt4 { digits } => match (first, next) {
                (Class::Space | Class::Mark, Some(Class::Letter)) => run(1),
                (Class::Space, Some(Class::Digit)) => 1,
                (Class::Digit, _) => run(0).min(digits.most()),
                (Class::Space | Class::Mark, _) => {
                    let end = run(usize::from(first == Class::Space));
                    end + usize::from(class(end) == Some(Class::LineFeed))
                }
                (Class::Letter | Class::LineFeed, _) => run(0),
            },
        }
    }

    /// How long the contraction is that a text begins with.
    fn contraction(self, text: &[u8]) -> Option<usize> {
        let behind = text.strip_prefix(b"'")?;
        let begins = |end: &&&[u8]| match (self, behind.get(..end.len())) {
            (Self::Gpt2 { .. }, Some(text)) => text == **end,
            (Self::Gpt4 { .. }, Some(text)) => text.eq_ignore_ascii_case(end),
            (_, None) => false,
        };
        CONTRACTED.iter().find(begins).map(|end| 1 + end.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Space,
    LineFeed,
    Mark,
}

impl Class {
    fn of(byte: u8) -> Self {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' => Self::Letter,
            b'0'..=b'9' => Self::Digit,
            b' ' => Self::Space,
            b'\n' => Self::LineFeed,
            _ => Self::Mark,
        }
    }
}

impl Ascii {
    /// For a tokenizer that [`super::Words`] takes and its pre-tokenizer; `None` where that is none of those that this module knows.
    pub(super) fn of(tokenizer: &tokenizers::Tokenizer, pre: &Value, merges: Merges) -> Option<Self> {
        let cuts = Cuts::of(pre)?;
        let plain = |byte: u8| matches!(byte, b'\n' | b' '..=b'~') && merges.knows(byte);
        let mut refused: [bool; 256] = std::array::from_fn(|byte| !plain(byte as u8));
        for token in tokenizer.get_added_tokens_decoder().values() {
            // One byte of every added token, so that no piece holds a whole one.
            let mark = token.content.bytes().find(|byte| !byte.is_ascii_alphanumeric())?;
            refused[usize::from(mark)] = true;
        }
        (!refused[usize::from(b' ')]).then_some(Self { cuts, merges, refused })
    }

    /// Whether [`Self::encode`] takes a piece.
    pub(super) fn takes(&self, piece: &str) -> bool {
        let bytes = piece.as_bytes();
        let graphic = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_graphic);
        bytes.iter().enumerate().all(|(at, byte)| match byte {
            b' ' => graphic(at.checked_add(1)),
            b'\n' => at + 1 == bytes.len() && graphic(at.checked_sub(1)),
            _ => true,
        } && !self.refused[usize::from(*byte)])
    }

    /// Adds a piece's ids to `out`.
    pub(super) fn encode(&self, piece: &str, out: &mut Vec<u32>) {
        let mut rest = piece.as_bytes();
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(self.cuts.first_part(rest));
            self.merges.merge(part, out);
            rest = behind;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn parts(cuts: Cuts, text: &str) -> Vec<String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(cuts.first_part(rest.as_bytes()));
            parts.push(part.to_owned());
            rest = behind;
        }
        parts
    }

    #[test]
    fn cuts_are_those_of_the_patterns() {
        let text = " Smith ((born 1987), a.k.a. \"B\").\n";
        let single = parts(Cuts::Gpt2 { single_digits: true }, text);
        let want = " Smith| ((|born| |1|9|8|7|),| a|.|k|.|a|.| \"|B|\").|\n";
        assert_eq!(single.join("|"), want);
        let together = parts(Cuts::Gpt2 { single_digits: false }, text);
        assert_eq!(together.join("|"), want.replace("| |1|9|8|7|", "| 1987|"));
        let threes = parts(Cuts::Gpt4 { digits: Digits::UpToThree }, text);
        assert_eq!(threes.join("|"), " Smith| ((|born| |198|7|),| a|.k|.a|.| \"|B|\").\n");
        let text = " We'll 'sing DON'T.'s";
        assert_eq!(
            parts(Cuts::Gpt2 { single_digits: true }, text).join("|"),
            " We|'ll| '|sing| DON|'|T|.'|s"
        );
        let gpt4 = parts(Cuts::Gpt4 { digits: Digits::Single }, text);
        assert_eq!(gpt4.join("|"), " We|'ll| '|sing| DON|'T|.'|s");
    }
}
