//! Little-endian reading that never passes the end of the file and never believes a length.
//!
//! What is read is bounded too, so that the memory a file takes before a tensor is asked for does not grow with the file: at
//! most 256 MiB of header, and 16 Mi things in it (elements of arrays, values, tensors) of a few dozen bytes each.

use std::fs::File;
use std::io::{BufReader, Read as _};

/// What is wrong at a position of the file.
pub(super) type Parsed<T> = std::result::Result<T, String>;

/// A forward reader that knows how many bytes are left.
pub(super) struct Cursor {
    reader: BufReader<File>,
    position: u64,
    length: u64,
    things_left: u64,
}

/// Longest header, metadata and table of tensors together. A vocabulary of 262,144 tokens with its merges takes about 15 MB.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// Most array elements, metadata values and tensors together. A large vocabulary has about a million.
const MAX_THINGS: u64 = 16 << 20;

impl Cursor {
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { reader: BufReader::with_capacity(1 << 18, file), position: 0, length, things_left: MAX_THINGS }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn remaining(&self) -> u64 {
        self.length - self.position
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut bytes = [0_u8; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Parsed<()> {
        if bytes.len() as u64 > self.remaining() {
            return Err(format!("the file ends at byte {} inside a value", self.length));
        }
        if self.position + bytes.len() as u64 > MAX_HEADER_BYTES {
            return Err(format!("a header of more than {MAX_HEADER_BYTES} bytes"));
        }
        self.reader.read_exact(bytes).map_err(|e| e.to_string())?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(super) fn u64(&mut self) -> Parsed<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// A count of things that take at least `least_bytes` each, which must fit in what is left.
    pub(super) fn count(&mut self, what: &str, least_bytes: u64) -> Parsed<usize> {
        let count = self.fitting(what, least_bytes)?;
        self.things_left = self
            .things_left
            .checked_sub(count)
            .ok_or_else(|| format!("{count} {what}; at most {MAX_THINGS} things are read"))?;
        Ok(count as usize)
    }

    fn fitting(&mut self, what: &str, least_bytes: u64) -> Parsed<u64> {
        let count = self.u64()?;
        let most = self.remaining() / least_bytes;
        if count > most {
            return Err(format!("{count} {what}, but the rest of the file has room for {most} at most"));
        }
        Ok(count)
    }

    pub(super) fn string(&mut self) -> Parsed<String> {
        let length = self.fitting("bytes in a string", 1)? as usize;
        if length > MAX_STRING_BYTES {
            return Err(format!("a string of {length} bytes; at most {MAX_STRING_BYTES} are read"));
        }
        let mut bytes = vec![0_u8; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| format!("a string before byte {} is not UTF-8", self.position))
    }
}

const MAX_STRING_BYTES: usize = 64 << 20;
