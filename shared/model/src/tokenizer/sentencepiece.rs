//! SentencePiece's own `tokenizer.model` (a protocol buffer, `sentencepiece_model.proto`), for folders without a
//! `tokenizer.json`. Only what a BPE model needs is read.

use super::vocabulary::{NORMAL, Vocabulary};

/// Why a file is not a model we read.
type Parsed<T> = std::result::Result<T, String>;

const MAX_PIECES: usize = 2_000_000;
const BPE: u64 = 2;

/// A field's value; fixed-width ones are kept as bits.
enum Field<'a> {
    Varint(u64),
    Bits(u32),
    Bytes(&'a [u8]),
    Skipped,
}

/// Reads a protocol buffer's fields in turn.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Parsed<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or("the file ends inside a number")?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits".to_owned())
    }

    fn take(&mut self, length: u64) -> Parsed<&'a [u8]> {
        let length = usize::try_from(length).ok().filter(|&n| n <= self.0.len());
        let (taken, rest) = self.0.split_at(length.ok_or("a field passes the end of the file")?);
        self.0 = rest;
        Ok(taken)
    }

    /// The next field's number and value; `None` at the end.
    fn next(&mut self) -> Parsed<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Field::Skipped
            }
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Field::Bits(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            other => return Err(format!("wire type {other}")),
        };
        Ok(Some((tag >> 3, value)))
    }
}

/// The vocabulary of a `tokenizer.model`.
pub(super) fn read(bytes: &[u8]) -> Parsed<Vocabulary> {
    let mut vocabulary = Vocabulary { space_prefix: true, add_bos: true, ..Vocabulary::default() };
    let (mut kind, mut ids) = (1, [Some(0), Some(1), Some(2)]);
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Field::Bytes(piece)) => push_piece(&mut vocabulary, piece)?,
            (2, Field::Bytes(trainer)) => (kind, ids) = read_trainer(trainer, kind, ids)?,
            (3, Field::Bytes(normalizer)) => {
                let mut inner = Fields(normalizer);
                while let Some((number, value)) = inner.next()? {
                    if let (3, Field::Varint(prefix)) = (number, value) {
                        vocabulary.space_prefix = prefix != 0;
                    }
                }
            }
            _ => {}
        }
    }
    if kind != BPE {
        return Err("a SentencePiece model that is not BPE is not supported".to_owned());
    }
    let known = |id: Option<usize>| id.filter(|&id| id < vocabulary.tokens.len());
    let [unknown, bos, eos] = ids.map(known);
    Ok(Vocabulary { bos, eos, unknown, ..vocabulary })
}

fn push_piece(vocabulary: &mut Vocabulary, piece: &[u8]) -> Parsed<()> {
    if vocabulary.tokens.len() >= MAX_PIECES {
        return Err(format!("more than {MAX_PIECES} pieces"));
    }
    let (mut text, mut score, mut kind) = (String::new(), 0.0, NORMAL);
    let mut inner = Fields(piece);
    while let Some((number, value)) = inner.next()? {
        match (number, value) {
            (1, Field::Bytes(bytes)) => {
                text = String::from_utf8(bytes.to_vec()).map_err(|_| "a piece is not UTF-8")?;
            }
            (2, Field::Bits(bits)) => score = f64::from(f32::from_bits(bits)),
            (3, Field::Varint(number)) => kind = number as i64,
            _ => {}
        }
    }
    vocabulary.tokens.push(text);
    vocabulary.scores.push(score);
    vocabulary.kinds.push(kind);
    Ok(())
}

type Ids = [Option<usize>; 3];

/// Model kind, and the ids of unknown, BOS and EOS (negative: none).
fn read_trainer(bytes: &[u8], mut kind: u64, mut ids: Ids) -> Parsed<(u64, Ids)> {
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (3, Field::Varint(model)) => kind = model,
            (40..=42, Field::Varint(id)) => ids[(number - 40) as usize] = usize::try_from(id as i64).ok(),
            _ => {}
        }
    }
    Ok((kind, ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    #[test]
    fn a_small_model() {
        let piece = |text: &str, kind: u8| {
            let mut p = field(1, text.as_bytes());
            p.extend([2 << 3 | 5, 0, 0, 128, 63, 3 << 3, kind]);
            field(1, &p)
        };
        let mut file = [piece("<unk>", 2), piece("<s>", 3), piece("</s>", 3), piece("▁a", 1)].concat();
        file.extend(field(2, &[3 << 3, 2]));
        let vocabulary = read(&file);
        assert!(
            vocabulary.as_ref().is_ok_and(|v| v.tokens.len() == 4 && v.bos == Some(1) && v.scores[3] > 0.9)
        );
        for cut in 1..file.len() {
            // Whatever is missing, the reader answers; it never panics.
            let _ = read(&file[..cut]);
        }
        assert!(read(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        assert!(read(&field(2, &[3 << 3, 1])).is_err());
    }
}
