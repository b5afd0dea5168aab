//! A continuation as it grows: its ids, its text, and the stop text that ends it.
//!
//! Stop texts are looked for in the text with special tokens spelt out, so that `<|im_end|>` ends a continuation even
//! where it is not the end-of-sequence token; the text given back leaves special tokens out (as
//! `HFLM._model_generate` of lm-evaluation-harness 0.4.13 does). Each id is decoded once, with the ids that it needs to
//! become whole characters.

use crate::error::Result;
use crate::tokenizer::Tokenizer;

/// What a tokenizer puts for bytes that are no whole character yet.
const PARTIAL: char = '\u{FFFD}';

/// The new ids of one sequence.
#[derive(Debug, Clone)]
pub struct Continuation<'a> {
    tokenizer: &'a Tokenizer,
    stop: &'a [String],
    ids: Vec<u32>,
    /// Text of the ids with special tokens; only kept up while there are stop texts.
    text: String,
    /// After how many ids the text is whole, and its bytes then.
    whole: Vec<(usize, usize)>,
    /// The first id that is decoded again for the sake of the next, and the text from there.
    window: (usize, String),
    cut: Option<usize>,
}

impl<'a> Continuation<'a> {
    /// An empty continuation that ends at any of the texts `stop`.
    pub fn new(tokenizer: &'a Tokenizer, stop: &'a [String]) -> Self {
        Self {
            tokenizer,
            stop,
            ids: Vec::new(),
            text: String::new(),
            whole: vec![(0, 0)],
            window: (0, String::new()),
            cut: None,
        }
    }

    /// The ids so far.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Appends an id; true when a stop text has now occurred.
    pub fn push(&mut self, id: u32) -> Result<bool> {
        self.ids.push(id);
        if self.stop.iter().all(String::is_empty) {
            return Ok(false);
        }
        let decoded = self.tokenizer.decode(&self.ids[self.window.0..], false)?;
        if decoded.ends_with(PARTIAL) {
            return Ok(false);
        }
        let before = self.text.len();
        match decoded.strip_prefix(&self.window.1) {
            Some(new) => self.text.push_str(new),
            // A decoder that looks further back than one id: the whole text again.
            None => self.text = self.tokenizer.decode(&self.ids, false)?,
        }
        let read = self.whole.last().map_or(0, |(ids, _)| *ids);
        self.window = (read, self.tokenizer.decode(&self.ids[read..], false)?);
        self.whole.push((self.ids.len(), self.text.len()));
        self.cut = self.find_stop(before.min(self.text.len()));
        Ok(self.cut.is_some())
    }

    /// The earliest stop text that ends after the first `before` bytes.
    fn find_stop(&self, before: usize) -> Option<usize> {
        let longest = self.stop.iter().map(String::len).max().unwrap_or(0);
        let from = self.text.floor_char_boundary((before + 1).saturating_sub(longest));
        earliest(self.stop, &self.text[from..]).map(|at| from + at)
    }

    /// The ids, and their text without special tokens, cut at the first stop text.
    pub fn finish(self) -> Result<(Vec<u32>, String)> {
        let mut text = match self.cut {
            None => self.tokenizer.decode(&self.ids, true)?,
            Some(at) => self.text_before(at)?,
        };
        // Where special tokens are left out, texts meet that were apart.
        if let Some(at) = earliest(self.stop, &text) {
            text.truncate(at);
        }
        Ok((self.ids, text))
    }

    fn text_before(&self, at: usize) -> Result<String> {
        let next = self.whole.partition_point(|(_, bytes)| *bytes <= at);
        let (ids, bytes) = self.whole[next.saturating_sub(1)];
        let mut text = self.tokenizer.decode(&self.ids[..ids], true)?;
        let end = self.whole.get(next).map_or(self.ids.len(), |(ids, _)| *ids);
        // Of a special token no part is kept.
        if at > bytes && !self.tokenizer.decode(&self.ids[ids..end], true)?.is_empty() {
            text.push_str(&self.text[bytes..at]);
        }
        Ok(text)
    }
}

/// Where the first of the stop texts begins.
fn earliest(stop: &[String], text: &str) -> Option<usize> {
    stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::formula::tiny_tokenizer;

    fn run(text: &str, stop: &[&str]) -> (usize, String, bool) {
        let tokenizer = tiny_tokenizer().unwrap();
        let stop: Vec<String> = stop.iter().map(|text| (*text).to_owned()).collect();
        let mut continuation = Continuation::new(&tokenizer, &stop);
        let ids = tokenizer.encode(text, false).unwrap();
        let mut stopped = false;
        for id in ids {
            stopped = continuation.push(id).unwrap();
            if stopped {
                break;
            }
        }
        let (ids, text) = continuation.finish().unwrap();
        (ids.len(), text, stopped)
    }

    #[test]
    fn a_stop_text_over_several_ids_is_found_and_cut() {
        let (_, text, stopped) = run("the cat sat. Question: what", &["Question:"]);
        assert!(stopped);
        assert_eq!(text, "the cat sat. ");
        assert_eq!(run("the cat", &["dog"]).1, "the cat");
        assert_eq!(run("the cat", &[""]).1, "the cat");
    }

    #[test]
    fn the_first_of_several_stop_texts_counts() {
        assert_eq!(run("one two three", &["three", "two"]).1, "one ");
    }

    #[test]
    fn a_special_token_stops_and_is_never_shown() {
        let (_, text, stopped) = run("yes<|im_end|>\nno", &["<|im_end|>"]);
        assert!(stopped);
        assert_eq!(text, "yes");
        assert_eq!(run("yes<|im_end|> and", &["im_end"]).1, "yes");
        assert_eq!(run("a<|im_end|>b", &["x"]).1, "ab");
    }

    #[test]
    fn characters_of_several_ids_become_whole() {
        // Each byte of these characters is an id of its own.
        let (_, text, stopped) = run("a中文b。c", &["。"]);
        assert!(stopped);
        assert_eq!(text, "a中文b");
        assert_eq!(run("a中文", &["x"]).1, "a中文");
    }

    #[test]
    fn growing_text_is_the_text_of_all_ids() {
        let tokenizer = tiny_tokenizer().unwrap();
        let stop = ["never".to_owned()];
        let mut continuation = Continuation::new(&tokenizer, &stop);
        let ids = tokenizer.encode("the 中 cat<|im_end|> and é the end", false).unwrap();
        for id in &ids {
            continuation.push(*id).unwrap();
        }
        assert_eq!(continuation.text, tokenizer.decode(&ids, false).unwrap());
    }
}
