//! A tokenizer learnt from text: byte-level BPE, for a model that is pretrained from nothing.
//!
//! Text is streamed: what is kept of it is a bounded table of words. The same texts in the same order give the same tokenizer,
//! whatever the number of threads.

mod merges;
mod words;

use std::collections::HashMap;

use rayon::prelude::*;
use serde_json::Map;
use tokenizers::utils::SysRegex;

use self::merges::{Word, learn};
use self::words::WordCounts;
use super::pre_tokenizer::PreTokenizer;
use super::vocabulary::Vocabulary;
use super::{SpecialTokens, Tokenizer, bpe, guarded, parse};
use crate::error::{Error, Result};

/// The special tokens of a learnt tokenizer, ids from 0: the end of a document (which begins a text too), padding, and the two
/// that ChatML frames turns with, for a later tuning on conversations.
pub const SPECIAL_TOKENS: [&str; 4] = ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"];

/// Fewest tokens of a learnt tokenizer: the special ones and every byte.
pub const LEAST_VOCABULARY: usize = SPECIAL_TOKENS.len() + 256;

/// Most characters of a word that is counted whole; longer runs (of unspaced scripts, or of one sign) are counted in parts.
const MAX_WORD_CHARACTERS: usize = 32;
/// Bytes of text that are cut at once.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// Learns a tokenizer.
#[derive(Debug)]
pub struct TokenizerTrainer {
    vocab_size: usize,
    cut: SysRegex,
    words: WordCounts,
}

impl TokenizerTrainer {
    /// A trainer of a tokenizer of `vocab_size` tokens, the special ones and the 256 bytes among them.
    pub fn new(vocab_size: usize) -> Result<Self> {
        if vocab_size < LEAST_VOCABULARY {
            return Err(Error::Argument(format!(
                "a vocabulary of {vocab_size} tokens: bytes and special tokens alone are {LEAST_VOCABULARY}"
            )));
        }
        let cut =
            SysRegex::new(&PreTokenizer::plain_pattern()).map_err(|e| Error::Tokenizer(e.to_string()))?;
        Ok(Self { vocab_size, cut, words: WordCounts::default() })
    }

    /// Counts the words of some texts, in parallel.
    pub fn add(&mut self, texts: &[&str]) -> Result<()> {
        let counted: Vec<HashMap<&str, u64>> =
            texts.par_iter().map(|text| guarded(|| Ok(self.count(text)))).collect::<Result<_>>()?;
        for counts in counted {
            self.words.add(counts);
        }
        Ok(())
    }

    fn count<'t>(&self, text: &'t str) -> HashMap<&'t str, u64> {
        let mut counts = HashMap::new();
        for part in parts(text) {
            for (from, to) in self.cut.find_iter(part) {
                for word in in_parts(&part[from..to]) {
                    *counts.entry(word).or_insert(0) += 1;
                }
            }
        }
        counts
    }

    /// The tokenizer. It has fewer tokens than were asked for where the texts hold no more pairs that occur twice.
    pub fn finish(self) -> Result<Tokenizer> {
        let letters = letters();
        let mut tokens: Vec<String> = SPECIAL_TOKENS.map(str::to_owned).to_vec();
        let mut alphabet = letters;
        alphabet.sort_unstable();
        tokens.extend(alphabet.iter().map(char::to_string));
        let first = SPECIAL_TOKENS.len();
        let ids: [u32; 256] =
            letters.map(|letter| (first + alphabet.partition_point(|c| *c < letter)) as u32);
        let words = self.words.sorted();
        let words = words
            .into_iter()
            .map(|(word, count)| Word::new(word.bytes().map(|b| ids[usize::from(b)]), count));
        let merges: Vec<String> = learn(words.collect(), &mut tokens, self.vocab_size)
            .into_iter()
            .map(|(left, right)| format!("{} {}", tokens[left as usize], tokens[right as usize]))
            .collect();
        let vocabulary = Vocabulary::with_special(tokens, SPECIAL_TOKENS.len());
        let json = bpe::tokenizer_json(&vocabulary, &PreTokenizer::plain(), &merges)?;
        let [end, pad, ..] = SPECIAL_TOKENS.map(|token| Some(token.to_owned()));
        let special = SpecialTokens { bos: end.clone(), eos: end, pad, unk: None };
        Tokenizer::new(parse(json.to_string().as_bytes())?, special, Map::new())
    }
}

/// A text in parts of about [`MAX_TEXT_BYTES`], which end with a line where they can.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let window = &rest[..rest.floor_char_boundary(MAX_TEXT_BYTES)];
        let end = if window.len() == rest.len() {
            rest.len()
        } else {
            window.rfind('\n').map_or(window.len(), |at| at + 1)
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

/// A word in parts of at most [`MAX_WORD_CHARACTERS`].
fn in_parts(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(MAX_WORD_CHARACTERS).map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(end);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// GPT-2's letter of every byte: printable Latin-1 as it is, the others counted up from U+0100.
fn letters() -> [char; 256] {
    let mut unprintable = 0x100..;
    std::array::from_fn(|byte| {
        let itself = matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
        let code = if itself { byte as u32 } else { unprintable.next().unwrap_or_default() };
        char::from_u32(code).unwrap_or_default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_the_library() {
        let theirs = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let ours = letters();
        assert!(ours.iter().all(|letter| theirs.contains(letter)));
        assert_eq!(ours.iter().collect::<std::collections::HashSet<_>>().len(), 256);
        assert_eq!((ours[0], ours[32], ours[10], ours[0xAD]), ('Ā', 'Ġ', 'Ċ', 'Ń'));
    }

    #[test]
    fn texts_and_words_are_cut_without_loss() {
        let text = format!("{}\n{}é{}", "a ".repeat(40_000), "東".repeat(50_000), "\n".repeat(70_000));
        let cut: Vec<&str> = parts(&text).collect();
        assert_eq!(cut.concat(), text);
        assert!(cut.len() > 3 && cut.iter().all(|part| part.len() <= MAX_TEXT_BYTES));
        let word = "語".repeat(65);
        let words: Vec<usize> = in_parts(&word).map(|part| part.chars().count()).collect();
        assert_eq!(words, [32, 32, 1]);
        assert_eq!(in_parts("").count(), 0);
    }

    #[test]
    fn a_vocabulary_too_small_for_the_bytes_is_refused() {
        assert!(TokenizerTrainer::new(259).is_err());
        let tokenizer = TokenizerTrainer::new(260).unwrap().finish().unwrap();
        assert_eq!(tokenizer.vocab_size(), 260);
        let ids = tokenizer.encode("naïve 🙂\n", false).unwrap();
        assert_eq!(ids.len(), "naïve 🙂\n".len());
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), "naïve 🙂\n");
    }
}
