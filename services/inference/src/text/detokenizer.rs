//! Tokens to text, piece by piece: a character that is split over tokens appears when it is whole.

use anneal_model::Tokenizer;

/// Tokens decoded again with every new one, so that spaces between words come out right.
const WINDOW: usize = 6;

/// The text of a growing list of tokens.
#[derive(Default)]
pub(crate) struct Detokenizer {
    tokens: Vec<u32>,
    /// Where the window that is decoded begins.
    begin: usize,
    /// Tokens whose text has been given out.
    given: usize,
}

impl Detokenizer {
    /// The text that `token` completes; empty while a character is incomplete.
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> anneal_model::Result<String> {
        self.tokens.push(token);
        let before = tokenizer.decode(&self.tokens[self.begin..self.given], true)?;
        let after = tokenizer.decode(&self.tokens[self.begin..], true)?;
        if after.ends_with('\u{fffd}') && self.tokens.len() - self.given < WINDOW {
            return Ok(String::new());
        }
        let fresh = after.get(before.len()..).unwrap_or_default().to_owned();
        self.begin = self.given;
        self.given = self.tokens.len();
        Ok(fresh)
    }

    /// What is left when no token follows: the incomplete bytes as a replacement character.
    pub(crate) fn finish(&mut self, tokenizer: &Tokenizer) -> anneal_model::Result<String> {
        let before = tokenizer.decode(&self.tokens[self.begin..self.given], true)?;
        let after = tokenizer.decode(&self.tokens[self.begin..], true)?;
        self.given = self.tokens.len();
        Ok(after.get(before.len()..).unwrap_or_default().to_owned())
    }
}
