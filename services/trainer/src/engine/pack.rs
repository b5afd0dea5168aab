//! How sequences become items: one an item, several packed into one, or documents cut into chunks.

use super::{
    Result,
    tokens::{Sequence, TokenWriter},
};

/// Builds the items of one part of the dataset.
pub(crate) struct Packer {
    writer: TokenWriter,
    packing: Packing,
    length: usize,
    /// What the item in hand holds so far.
    open: Vec<Sequence>,
    open_tokens: usize,
}

/// How sequences become items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One a row.
    None,
    /// Next-fit in order: a row joins the item in hand while that stays within the length.
    NextFit,
    /// Documents end to end, cut at the length; the rest at the end is dropped. `isolated`: a document's tokens attend
    /// to that document only.
    Chunks { isolated: bool },
}

impl Packer {
    pub(crate) fn new(writer: TokenWriter, packing: Packing, length: usize) -> Self {
        Self { writer, packing, length, open: Vec::new(), open_tokens: 0 }
    }

    /// Adds what one row became.
    pub(crate) fn push(&mut self, sequences: Vec<Sequence>) -> Result<()> {
        match self.packing {
            Packing::None => self.writer.push(&sequences),
            Packing::NextFit => {
                for sequence in sequences {
                    if self.open_tokens + sequence.ids.len() > self.length {
                        self.close()?;
                    }
                    self.add(sequence);
                }
                Ok(())
            }
            Packing::Chunks { isolated } => {
                sequences.iter().try_for_each(|document| self.chunk(document, isolated))
            }
        }
    }

    /// Ends the writing; returns how many tokens were left over.
    pub(crate) fn finish(mut self) -> Result<(TokenWriter, usize)> {
        let left = if let Packing::Chunks { .. } = self.packing {
            self.open_tokens
        } else {
            self.close()?;
            0
        };
        Ok((self.writer, left))
    }

    fn add(&mut self, sequence: Sequence) {
        self.open_tokens += sequence.ids.len();
        self.open.push(sequence);
    }

    fn close(&mut self) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.open_tokens = 0;
        self.writer.push(&std::mem::take(&mut self.open))
    }

    fn chunk(&mut self, document: &Sequence, isolated: bool) -> Result<()> {
        let mut rest = 0;
        while rest < document.ids.len() {
            let taken = (self.length - self.open_tokens).min(document.ids.len() - rest);
            let range = rest..rest + taken;
            match self.open.last_mut() {
                Some(open) if !isolated => {
                    open.ids.extend_from_slice(&document.ids[range.clone()]);
                    open.loss.extend_from_slice(&document.loss[range]);
                    self.open_tokens += taken;
                }
                _ => self.add(Sequence {
                    ids: document.ids[range.clone()].to_vec(),
                    loss: document.loss[range].to_vec(),
                }),
            }
            rest += taken;
            if self.open_tokens == self.length {
                self.close()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn pack(packing: Packing, lengths: &[usize]) -> (Vec<Vec<usize>>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let writer = TokenWriter::create(&folder.path().join("tokens")).unwrap();
        let mut packer = Packer::new(writer, packing, 10);
        for &length in lengths {
            packer.push(vec![Sequence { ids: vec![1; length], loss: vec![true; length] }]).unwrap();
        }
        let (writer, left) = packer.finish().unwrap();
        let store = writer.finish().unwrap();
        let items = (0..store.len()).map(|n| store.get(n).unwrap().iter().map(|s| s.ids.len()).collect());
        (items.collect(), left)
    }

    #[test]
    fn next_fit_keeps_the_order() {
        let (items, left) = pack(Packing::NextFit, &[4, 6, 1, 10, 3]);
        assert_eq!(items, [vec![4, 6], vec![1], vec![10], vec![3]]);
        assert_eq!(left, 0);
    }

    #[test]
    fn chunks_are_full_and_the_rest_is_dropped() {
        assert_eq!(pack(Packing::Chunks { isolated: false }, &[4, 13, 5]), (vec![vec![10], vec![10]], 2));
        let isolated = pack(Packing::Chunks { isolated: true }, &[4, 13, 5]);
        assert_eq!(isolated, (vec![vec![4, 6], vec![7, 3]], 2));
    }
}
