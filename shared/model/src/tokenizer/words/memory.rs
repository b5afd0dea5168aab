//! What was encoded before.

use foldhash::HashMap;

use super::ascii::Ascii;

/// Longer pieces are not remembered.
const LONGEST: usize = 48;
/// Pieces of a generation.
const MOST_PIECES: usize = 1 << 17;

/// Two generations: a full one is the old one from then on, and the one before it is forgotten, but for the pieces that were met again.
#[derive(Debug, Default)]
pub(super) struct Memory {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// Where the ids of a piece lie.
    places: HashMap<Box<str>, (u32, u32)>,
    ids: Vec<u32>,
}

impl Generation {
    fn get(&self, piece: &str) -> Option<&[u32]> {
        let &(from, to) = self.places.get(piece)?;
        Some(&self.ids[from as usize..to as usize])
    }

    fn insert(&mut self, piece: &str, ids: &[u32]) {
        let from = self.ids.len() as u32;
        self.ids.extend_from_slice(ids);
        self.places.insert(piece.into(), (from, self.ids.len() as u32));
    }
}

impl Memory {
    /// Adds a piece's ids to `out`.
    pub(super) fn add(
        &mut self,
        tokenizer: &tokenizers::Tokenizer,
        ascii: Option<&Ascii>,
        piece: &str,
        out: &mut Vec<u32>,
    ) -> tokenizers::Result<()> {
        if let Some(ids) = self.young.get(piece) {
            out.extend_from_slice(ids);
            return Ok(());
        }
        let from = out.len();
        match (self.old.get(piece), ascii) {
            (Some(ids), _) => out.extend_from_slice(ids),
            (None, Some(ascii)) if piece.len() <= LONGEST && ascii.takes(piece) => ascii.encode(piece, out),
            (None, _) => out.extend_from_slice(tokenizer.encode_fast(piece, false)?.get_ids()),
        }
        if piece.len() <= LONGEST {
            if self.young.places.len() == MOST_PIECES {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(piece, &out[from..]);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::Value;

    use super::{super::tests::tokenizer, *};
    use crate::tokenizer::pre_tokenizer::PreTokenizer;

    #[test]
    fn a_full_generation_becomes_the_old_one() {
        let tokenizer = tokenizer(&PreTokenizer::plain().json(), &Value::Null).inner;
        let mut memory = Memory::default();
        for n in 0..MOST_PIECES {
            memory.young.insert(&n.to_string(), &[]);
        }
        let mut ids = Vec::new();
        memory.add(&tokenizer, None, " ab", &mut ids).unwrap();
        assert_eq!((memory.young.places.len(), memory.old.places.len()), (1, MOST_PIECES));
        assert_eq!(memory.young.get(" ab"), Some(&ids[..]));
        // Met again: it is young from now on.
        memory.add(&tokenizer, None, "7", &mut ids).unwrap();
        assert!(memory.young.get("7").is_some());
    }
}
