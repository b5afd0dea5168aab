//! The elements of one JSON array (or values one after the other), each as its bytes, without parsing them.
//!
//! Only brackets and strings are followed here: a malformed element whose brackets balance costs one row, not the file.

use std::io::BufRead;

use super::Piece;
use crate::RowError;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Element,
    AfterElement,
    Sequence,
    Tail,
    Done,
}

/// An iterator over the rows of a `.json` file.
pub(crate) struct Values<R> {
    reader: R,
    line: u64,
    limit: usize,
    state: State,
}

impl<R: BufRead> Values<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, line: 1, limit, state: State::Start }
    }

    /// The next byte that is not white space, left in place.
    fn peek(&mut self) -> std::io::Result<Option<u8>> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let blank = chunk.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.line += chunk[..blank].iter().filter(|&&byte| byte == b'\n').count() as u64;
            let found = chunk.get(blank).copied();
            self.reader.consume(blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Moves over brackets and commas to the next element; `None` at the regular end.
    fn seek(&mut self) -> Result<Option<()>, RowError> {
        loop {
            let next = self.peek().map_err(|error| RowError::fatal(self.line, error.to_string()))?;
            self.state = match (self.state, next) {
                (State::Done, _) | (State::Start | State::Sequence | State::Tail, None) => return Ok(None),
                (State::Start, Some(b'[')) => {
                    self.reader.consume(1);
                    // An empty array is an empty file, not a missing element.
                    if matches!(self.peek(), Ok(Some(b']'))) { State::AfterElement } else { State::Element }
                }
                (State::Start, Some(_)) => State::Sequence,
                (State::Sequence, Some(byte @ (b',' | b']'))) => {
                    let reason = format!(
                        "`{}` after a value: rows are the elements of one array, or follow each other with nothing but white space between",
                        char::from(byte)
                    );
                    return Err(RowError::fatal(self.line, reason));
                }
                (State::Sequence, Some(_)) => return Ok(Some(())),
                (State::Element, Some(byte)) if byte != b',' && byte != b']' => return Ok(Some(())),
                (State::Element, Some(_)) => {
                    return Err(RowError::fatal(self.line, "an element is missing in the array"));
                }
                (State::AfterElement, Some(b',')) => {
                    self.reader.consume(1);
                    State::Element
                }
                (State::AfterElement, Some(b']')) => {
                    self.reader.consume(1);
                    State::Tail
                }
                (State::AfterElement, Some(_)) => {
                    return Err(RowError::fatal(self.line, "expected `,` or `]` after an element"));
                }
                (State::Element | State::AfterElement, None) => {
                    return Err(RowError::fatal(self.line, "the file ends inside the array"));
                }
                (State::Tail, Some(_)) => {
                    return Err(RowError::fatal(self.line, "something follows the end of the array"));
                }
            };
        }
    }

    /// Takes one value from its first byte to its last.
    fn value(&mut self) -> Result<Piece, RowError> {
        let start = self.line;
        let mut scan = Scan::default();
        let mut value = Vec::new();
        let mut too_long = false;
        loop {
            let chunk = self.reader.fill_buf().map_err(|error| RowError::fatal(start, error.to_string()))?;
            if chunk.is_empty() {
                if scan.is_scalar() {
                    break;
                }
                return Err(RowError::fatal(start, "the file ends inside the row that starts here"));
            }
            let (taken, ended) = scan.take(chunk);
            self.line += chunk[..taken].iter().filter(|&&byte| byte == b'\n').count() as u64;
            if value.len() + taken > self.limit {
                too_long = true;
                value = Vec::new();
            } else if !too_long {
                value.extend_from_slice(&chunk[..taken]);
            }
            self.reader.consume(taken);
            if ended {
                break;
            }
        }
        if self.state == State::Element {
            self.state = State::AfterElement;
        }
        if too_long {
            return Err(RowError::new(start, format!("the row is longer than {} bytes", self.limit)));
        }
        Ok((start, value))
    }
}

impl<R: BufRead> Iterator for Values<R> {
    type Item = Result<Piece, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.seek() {
            Ok(None) => {
                self.state = State::Done;
                return None;
            }
            Ok(Some(())) => self.value(),
            Err(error) => Err(error),
        };
        if matches!(&item, Err(error) if error.fatal) {
            self.state = State::Done;
        }
        Some(item)
    }
}

/// Where a value ends: follows strings, escapes and bracket depth.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about the bytes so far")]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    bracketed: bool,
    quoted: bool,
}

impl Scan {
    fn is_scalar(&self) -> bool {
        !self.bracketed && !self.in_string
    }

    /// How many bytes of `chunk` belong to the value, and whether it ends there.
    fn take(&mut self, chunk: &[u8]) -> (usize, bool) {
        for (index, &byte) in chunk.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return (index + 1, true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if self.depth > 0 || !self.quoted => (self.in_string, self.quoted) = (true, true),
                b'{' | b'[' => (self.depth, self.bracketed) = (self.depth + 1, true),
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (index + 1, true);
                    }
                }
                b'}' if index > 0 || self.quoted => return (index, true),
                b',' | b']' if self.depth == 0 => return (index, true),
                _ if self.depth == 0 && byte.is_ascii_whitespace() => return (index, true),
                _ => {}
            }
        }
        (chunk.len(), false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(u64, String), RowError>> {
        // A buffer of a few bytes puts every state across a boundary.
        Values::new(std::io::BufReader::with_capacity(3, text.as_bytes()), 60)
            .map(|piece| piece.map(|(line, bytes)| (line, String::from_utf8(bytes).unwrap())))
            .collect()
    }

    #[test]
    fn array_elements_carry_the_line_they_start_on() {
        let rows = read("[\n  {\"a\": \"}]\\\"\"},\n {\"b\":\n [1, {}]}, 3, \"x,\" ]\n");
        let rows: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows[0], (2, "{\"a\": \"}]\\\"\"}".to_owned()));
        assert_eq!(rows[1], (3, "{\"b\":\n [1, {}]}".to_owned()));
        assert_eq!(rows[2], (4, "3".to_owned()));
        assert_eq!(rows[3], (4, "\"x,\"".to_owned()));
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn values_in_sequence_are_read_too() {
        let rows: Vec<_> = read("{\n\"a\": 1}\n{\"a\": 2}").into_iter().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].0, 3);
    }

    #[test]
    fn an_empty_array_has_no_rows() {
        assert!(read(" [ ] ").is_empty());
    }

    #[test]
    fn broken_arrays_end_with_a_fatal_error() {
        for text in [
            "[{\"a\": 1}",
            "[{\"a\": 1",
            "[{} {}]",
            "[{},,{}]",
            "[{}] {}",
            "[\"abc",
            "[{},]",
            "{},{}",
            "{} ]",
        ] {
            let rows = read(text);
            let last = rows.last().unwrap().as_ref().unwrap_err();
            assert!(last.fatal, "{text}: {last}");
        }
    }

    #[test]
    fn a_row_over_the_limit_is_passed_over() {
        let rows = read(&format!("[{{\"a\": \"{}\"}}, {{}}]", "y".repeat(300)));
        assert!(!rows[0].as_ref().unwrap_err().fatal);
        assert_eq!(rows[1].as_ref().unwrap().1, "{}");
    }
}
