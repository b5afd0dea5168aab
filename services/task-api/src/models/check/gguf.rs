//! The head of a GGUF file: metadata and tensor table. Source: `docs/gguf.md` of the ggml repository, versions 2 and 3.

use super::Facts;

/// More entries than any real model has.
const MOST_ENTRIES: u64 = 1 << 20;
const LONGEST_KEY: u64 = 65_535;

struct Head<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Why a head was not read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::models) enum Unread {
    /// It goes on past the bytes that were given.
    GoesOn,
    /// It is corrupt, or of a kind that is not read.
    Wrong(String),
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

impl From<&str> for Unread {
    fn from(why: &str) -> Self {
        Self::Wrong(why.to_owned())
    }
}

type Read<T> = Result<T, Unread>;

/// Elements and bytes of a block of each tensor type that the platform reads, by ggml's number. Source: `ggml-common.h`.
const BLOCKS: [(u32, u64, u64); 16] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (9, 32, 36),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
    (15, 256, 292),
    (28, 1, 8),
    (30, 1, 2),
];

impl<'a> Head<'a> {
    fn take(&mut self, count: u64) -> Read<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let piece = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Unread::GoesOn)?;
        self.at += piece.len();
        Ok(piece)
    }

    fn u32(&mut self) -> Read<u32> {
        let bytes = self.take(4)?;
        Ok(bytes.try_into().map(u32::from_le_bytes).expect("four bytes were taken"))
    }

    fn u64(&mut self) -> Read<u64> {
        let bytes = self.take(8)?;
        Ok(bytes.try_into().map(u64::from_le_bytes).expect("eight bytes were taken"))
    }

    fn text(&mut self) -> Read<&'a [u8]> {
        let length = self.u64()?;
        self.take(length)
    }

    fn skip_value(&mut self, kind: u32, depth: u32) -> Read<()> {
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => return self.text().map(|_| ()),
            9 if depth < 2 => {
                let inner = self.u32()?;
                let count = self.u64()?;
                for _ in 0..count {
                    self.skip_value(inner, depth + 1)?;
                }
                return Ok(());
            }
            _ => return Err(format!("has a metadata value of unknown type {kind}").into()),
        };
        self.take(size).map(|_| ())
    }
}

/// What the file says about itself, or why it is refused. `bytes` begins the file.
pub(in crate::models) fn read(bytes: &[u8], file_bytes: u64) -> Read<Facts> {
    let mut head = Head { bytes, at: 0 };
    let [tensors, entries] = counts(&mut head)?;
    let mut facts = Facts::default();
    let mut alignment = 32_u32;
    for _ in 0..entries {
        let key = head.text()?;
        if key.len() as u64 > LONGEST_KEY {
            return Err("has a metadata key longer than 65535 bytes".into());
        }
        let kind = head.u32()?;
        match (key, kind) {
            (b"general.architecture", 8) => {
                facts.architecture = Some(String::from_utf8_lossy(head.text()?).chars().take(64).collect());
            }
            (b"general.alignment", 4) => alignment = head.u32()?,
            (b"llama.context_length", 4) => facts.context_tokens = Some(u64::from(head.u32()?)),
            (b"llama.context_length", 10) => facts.context_tokens = Some(head.u64()?),
            _ => head.skip_value(kind, 0)?,
        }
    }
    if alignment == 0 || !alignment.is_multiple_of(8) {
        return Err(format!("has an alignment of {alignment}: it must be a multiple of 8").into());
    }
    match facts.architecture.as_deref() {
        None => return Err("names no `general.architecture`".into()),
        Some("llama") => {}
        Some(other) => {
            return Err(format!("architecture `{other}` is not supported yet; supported: llama").into());
        }
    }
    let (parameters, data_bytes) = tensor_table(&mut head, tensors, alignment)?;
    facts.parameters = Some(parameters);
    let data_start = (head.at as u64).next_multiple_of(u64::from(alignment));
    if data_start.checked_add(data_bytes).is_none_or(|end| end > file_bytes) {
        return Err("has a tensor past the file's end: it is cut off or corrupt".into());
    }
    Ok(facts)
}

/// How many tensors and metadata entries follow.
fn counts(head: &mut Head<'_>) -> Read<[u64; 2]> {
    if head.take(4)? != b"GGUF" {
        return Err("does not begin with `GGUF`: it is no GGUF file".into());
    }
    let version = head.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("has GGUF version {version}; 2 and 3 are read").into());
    }
    let (tensors, entries) = (head.u64()?, head.u64()?);
    if tensors == 0 || tensors > MOST_ENTRIES || entries > MOST_ENTRIES {
        return Err(format!("claims {tensors} tensors and {entries} metadata entries: it is corrupt").into());
    }
    Ok([tensors, entries])
}

/// Parameters of all tensors, and how many bytes of data they reach to.
fn tensor_table(head: &mut Head<'_>, tensors: u64, alignment: u32) -> Read<(u64, u64)> {
    let (mut parameters, mut data_bytes) = (0_u64, 0_u64);
    for _ in 0..tensors {
        head.text()?;
        let dims = head.u32()?;
        if dims > 4 {
            return Err(format!("has a tensor of {dims} dimensions").into());
        }
        let mut elements = 1_u64;
        for _ in 0..dims {
            elements = elements.checked_mul(head.u64()?).ok_or("has a tensor whose size overflows")?;
        }
        let kind = head.u32()?;
        let (_, block, block_bytes) = BLOCKS
            .into_iter()
            .find(|(number, ..)| *number == kind)
            .ok_or_else(|| format!("has a tensor of ggml type {kind}, which is not supported"))?;
        if !elements.is_multiple_of(block) {
            return Err(format!("has a tensor of {elements} elements in blocks of {block}").into());
        }
        let offset = head.u64()?;
        if !offset.is_multiple_of(u64::from(alignment)) {
            return Err("has a tensor that is not aligned".into());
        }
        let end = (elements / block).checked_mul(block_bytes).and_then(|bytes| offset.checked_add(bytes));
        data_bytes = data_bytes.max(end.ok_or("has a tensor whose size overflows")?);
        parameters = parameters.checked_add(elements).ok_or("has tensors whose size overflows")?;
    }
    Ok((parameters, data_bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn sound() -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(1_u64.to_le_bytes());
        out.extend(2_u64.to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8_u32.to_le_bytes());
        text(&mut out, "llama");
        text(&mut out, "llama.context_length");
        out.extend(4_u32.to_le_bytes());
        out.extend(4096_u32.to_le_bytes());
        text(&mut out, "token_embd.weight");
        out.extend(2_u32.to_le_bytes());
        out.extend(4_u64.to_le_bytes());
        out.extend(8_u64.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out.extend(0_u64.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + 4 * 8 * 4, 0);
        out
    }

    #[test]
    fn a_sound_head_is_read() {
        let bytes = sound();
        let facts = read(&bytes, bytes.len() as u64).unwrap();
        let architecture = Some("llama".to_owned());
        assert_eq!(facts, Facts { architecture, parameters: Some(32), context_tokens: Some(4096) });
    }

    #[test]
    fn every_cut_and_absurd_count_is_refused() {
        let bytes = sound();
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], end as u64).is_err(), "cut at {end} was accepted");
        }
        let table_end = bytes.len() - 4 * 8 * 4 - 31;
        assert_eq!(read(&bytes[..64], bytes.len() as u64), Err(Unread::GoesOn));
        assert!(read(&bytes[..table_end + 31], bytes.len() as u64).is_ok(), "the data itself is not needed");
        for at in [8, 16] {
            let mut absurd = bytes.clone();
            absurd[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            assert!(read(&absurd, absurd.len() as u64).is_err(), "a count near 2^64 was accepted");
        }
        let kind_at = bytes.len().next_multiple_of(32) - 4 * 8 * 4 - 32;
        let kind_at = bytes[..kind_at + 32].iter().rposition(|byte| *byte == 8).unwrap() + 8;
        for (kind, what) in [(16_u32, "an unread type"), (12, "32 elements in blocks of 256")] {
            let mut other = bytes.clone();
            other[kind_at..kind_at + 4].copy_from_slice(&kind.to_le_bytes());
            assert!(matches!(read(&other, other.len() as u64), Err(Unread::Wrong(_))), "{what} was accepted");
        }
        assert!(matches!(read(b"GGML\x03\0\0\0", 8), Err(Unread::Wrong(_))));
    }
}
