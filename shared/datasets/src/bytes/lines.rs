//! Lines of bounded length, LF or CRLF. A longer line is named and passed over without being held.

use std::io::BufRead;

use super::Piece;
use crate::RowError;

/// An iterator over the non-empty lines of a stream.
pub(crate) struct Lines<R> {
    reader: R,
    line: u64,
    limit: usize,
    done: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, line: 0, limit, done: false }
    }

    /// Reads up to the next line end; `None` at the end of the stream.
    fn line(&mut self) -> std::io::Result<Option<(Vec<u8>, bool)>> {
        let (mut line, mut too_long, mut any) = (Vec::new(), false, false);
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(any.then_some((line, too_long)));
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.unwrap_or(chunk.len());
            if line.len() + taken > self.limit {
                too_long = true;
                line = Vec::new();
            } else if !too_long {
                line.extend_from_slice(&chunk[..taken]);
            }
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some((line, too_long)));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Piece, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            self.line += 1;
            match self.line() {
                Err(error) => {
                    self.done = true;
                    return Some(Err(RowError::fatal(self.line, error.to_string())));
                }
                Ok(None) => self.done = true,
                Ok(Some((_, true))) => {
                    let reason = format!("the line is longer than {} bytes", self.limit);
                    return Some(Err(RowError::new(self.line, reason)));
                }
                Ok(Some((line, false))) if !line.trim_ascii().is_empty() => {
                    return Some(Ok((self.line, line)));
                }
                Ok(Some(_)) => {}
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_named_and_the_next_one_read() {
        let text = format!("a\r\n{}\n\nb", "x".repeat(5_000));
        let lines: Vec<_> = Lines::new(std::io::BufReader::with_capacity(7, text.as_bytes()), 100).collect();
        assert_eq!(lines[0].as_ref().unwrap(), &(1, b"a\r".to_vec()));
        assert_eq!(lines[1].as_ref().unwrap_err().line, 2);
        assert_eq!(lines[2].as_ref().unwrap(), &(4, b"b".to_vec()));
        assert_eq!(lines.len(), 3);
    }
}
