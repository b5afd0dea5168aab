//! Reading protobuf's wire format from a file without holding it: lengths are walked, payloads are seeked over.
//!
//! A decoder generated from `onnx.proto3` would read gigabytes of weights to learn the names of the files they are in.

use std::io::{self, BufRead, Read, Seek};

/// The payload of one field.
pub(crate) enum Payload {
    /// A varint or a fixed-width number; nothing here needs its value.
    Number,
    /// Length of a delimited payload; the reader stands at its first byte.
    Bytes(u64),
}

fn malformed(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A reader that knows how many bytes the message it is in has left.
pub(crate) struct Wire<R> {
    reader: R,
    position: u64,
}

impl<R: BufRead + Seek> Wire<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self { reader, position: 0 }
    }

    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        self.position += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed("a number of more than 64 bits"))
    }

    /// The next field before `end`: its number and payload; `None` at `end`.
    pub(crate) fn field(&mut self, end: u64) -> io::Result<Option<(u64, Payload)>> {
        if self.position == end {
            return Ok(None);
        }
        let key = self.varint()?;
        let payload = match key & 7 {
            0 => {
                self.varint()?;
                Payload::Number
            }
            1 => self.fixed(8)?,
            2 => Payload::Bytes(self.varint()?),
            5 => self.fixed(4)?,
            _ => return Err(malformed("an unknown wire type")),
        };
        let after = match payload {
            Payload::Bytes(length) => self.position.checked_add(length),
            Payload::Number => Some(self.position),
        };
        if key >> 3 == 0 || after.is_none_or(|after| after > end) {
            return Err(malformed("a field reaches past the end of its message"));
        }
        Ok(Some((key >> 3, payload)))
    }

    fn fixed(&mut self, bytes: u32) -> io::Result<Payload> {
        (0..bytes).try_for_each(|_| self.byte().map(drop))?;
        Ok(Payload::Number)
    }

    pub(crate) fn skip(&mut self, length: u64) -> io::Result<()> {
        let offset = i64::try_from(length).map_err(|_| malformed("a length beyond any file"))?;
        self.reader.seek_relative(offset)?;
        self.position += length;
        Ok(())
    }

    pub(crate) fn text(&mut self, length: u64) -> io::Result<String> {
        if length > 64 << 10 {
            return Err(malformed("a name longer than 64 KiB"));
        }
        let mut bytes = Vec::new();
        (&mut self.reader).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += length;
        String::from_utf8(bytes).map_err(|_| malformed("a name that is not UTF-8"))
    }
}
