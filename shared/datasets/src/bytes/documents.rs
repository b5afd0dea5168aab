//! Documents of a text file apart by `<|endoftext|>`, each of bounded size.

use std::io::{BufRead, Read};

use super::Piece;
use crate::RowError;

const SEPARATOR: &[u8] = b"<|endoftext|>";

/// True where `reader` holds the separator anywhere.
pub(crate) fn holds_separator(mut reader: impl Read) -> std::io::Result<bool> {
    let mut window = Vec::with_capacity(1 << 17);
    loop {
        let read = reader.by_ref().take(1 << 16).read_to_end(&mut window)?;
        if find(&window, 0).is_some() {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let keep = window.len().saturating_sub(SEPARATOR.len() - 1);
        window.drain(..keep);
    }
}

fn find(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(step) = bytes.get(at..)?.iter().position(|&byte| byte == SEPARATOR[0]) {
        at += step;
        if bytes[at..].starts_with(SEPARATOR) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// An iterator over documents; the separator is in none of them.
pub(crate) struct Documents<R> {
    reader: R,
    pending: Vec<u8>,
    line: u64,
    limit: usize,
    done: bool,
}

impl<R: BufRead> Documents<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, pending: Vec::new(), line: 1, limit, done: false }
    }

    /// Takes the first `length` bytes and the separator after them out of what is pending.
    fn cut(&mut self, length: usize) -> Piece {
        let rest = self.pending.split_off((length + SEPARATOR.len()).min(self.pending.len()));
        let mut document = std::mem::replace(&mut self.pending, rest);
        let start = self.line;
        self.line += newlines(&document);
        document.truncate(length);
        (start, document)
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = Result<Piece, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut searched, mut too_long, start) = (0, false, self.line);
        while !self.done {
            if let Some(at) = find(&self.pending, searched) {
                let piece = self.cut(at);
                let reason = || format!("the document is longer than {} bytes", self.limit);
                return Some(if too_long { Err(RowError::new(start, reason())) } else { Ok(piece) });
            }
            let keep = self.pending.len().saturating_sub(SEPARATOR.len() - 1);
            searched = keep;
            if self.pending.len() > self.limit {
                too_long = true;
                self.line += newlines(&self.pending[..keep]);
                self.pending.drain(..keep);
                searched = 0;
            }
            match self.reader.fill_buf() {
                Err(error) => {
                    self.done = true;
                    return Some(Err(RowError::fatal(self.line, error.to_string())));
                }
                Ok([]) => self.done = true,
                Ok(chunk) => {
                    let length = chunk.len();
                    self.pending.extend_from_slice(chunk);
                    self.reader.consume(length);
                }
            }
        }
        let last = std::mem::take(&mut self.pending);
        (!last.is_empty()).then(|| {
            if too_long {
                return Err(RowError::new(
                    start,
                    format!("the document is longer than {} bytes", self.limit),
                ));
            }
            Ok((self.line, last))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(text: &str, limit: usize) -> Vec<Result<(u64, String), RowError>> {
        Documents::new(std::io::BufReader::with_capacity(5, text.as_bytes()), limit)
            .map(|piece| piece.map(|(line, bytes)| (line, String::from_utf8(bytes).unwrap())))
            .collect()
    }

    #[test]
    fn documents_are_cut_at_the_separator() {
        let documents = read("one\ntwo<|endoftext|>\nthree <|endo<|endoftext|>four", 1000);
        let documents: Vec<_> = documents.into_iter().map(Result::unwrap).collect();
        assert_eq!(documents[0], (1, "one\ntwo".to_owned()));
        assert_eq!(documents[1], (2, "\nthree <|endo".to_owned()));
        assert_eq!(documents[2], (3, "four".to_owned()));
    }

    #[test]
    fn a_long_document_is_named_and_passed_over() {
        let documents = read(&format!("{}<|endoftext|>short", "z\n".repeat(200)), 50);
        assert_eq!(documents[0].as_ref().unwrap_err().line, 1);
        assert_eq!(documents[1].as_ref().unwrap(), &(201, "short".to_owned()));
    }

    #[test]
    fn the_separator_is_found_across_reads() {
        let text = format!("{}<|endoftext|>", "a".repeat((1 << 16) - 5));
        assert!(holds_separator(text.as_bytes()).unwrap());
        assert!(!holds_separator("<|endoftext".as_bytes()).unwrap());
    }
}
