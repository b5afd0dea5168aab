//! Token sequences on disk: memory holds where they are, not what they say (24 bytes an item and 4 a sequence).
//!
//! One little-endian word a token: 31 bits of id, and the highest bit for *carries loss*.

use std::{
    fs::File,
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Error, Result};

const LOSS_BIT: u32 = 1 << 31;

/// One sequence. Token j carries loss where `loss[j]`; token 0 never is a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) ids: Vec<u32>,
    pub(crate) loss: Vec<bool>,
}

impl Sequence {
    /// How many of its tokens are targets.
    pub(crate) fn targets(&self) -> usize {
        self.loss.iter().skip(1).filter(|&&loss| loss).count()
    }

    /// Adds tokens that all do, or all do not, carry loss.
    pub(crate) fn extend(&mut self, ids: &[u32], loss: bool) {
        self.ids.extend_from_slice(ids);
        self.loss.resize(self.ids.len(), loss);
    }

    /// Keeps the first `length` tokens; true where some were lost.
    pub(crate) fn truncate(&mut self, length: usize) -> bool {
        let longer = self.ids.len() > length;
        self.ids.truncate(length);
        self.loss.truncate(length);
        longer
    }
}

struct Item {
    /// In words.
    offset: u64,
    first_part: u32,
    parts: u32,
    targets: u32,
}

/// Writes items: each one or more sequences that belong together.
pub(crate) struct TokenWriter {
    path: PathBuf,
    file: BufWriter<File>,
    items: Vec<Item>,
    lengths: Vec<u32>,
    words: u64,
    checksum: u32,
}

impl TokenWriter {
    /// The file is unlinked at once: it is gone when the process is, however that ends.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let failed = |error| Error::io(path, error);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let file = file.map_err(failed)?;
        std::fs::remove_file(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            items: Vec::new(),
            lengths: Vec::new(),
            words: 0,
            checksum: 0,
        })
    }

    /// Adds an item of these sequences.
    pub(crate) fn push(&mut self, parts: &[Sequence]) -> Result<()> {
        let (offset, first_part) = (self.words, self.lengths.len() as u32);
        for part in parts {
            let words = part.ids.iter().zip(&part.loss);
            let bytes: Vec<u8> =
                words.flat_map(|(&id, &loss)| (id | if loss { LOSS_BIT } else { 0 }).to_le_bytes()).collect();
            self.checksum = crc32c::crc32c_append(self.checksum, &bytes);
            self.file.write_all(&bytes).map_err(|error| Error::io(&self.path, error))?;
            self.lengths.push(part.ids.len() as u32);
            self.words += part.ids.len() as u64;
        }
        let targets = parts.iter().map(Sequence::targets).sum::<usize>() as u32;
        self.items.push(Item { offset, first_part, parts: parts.len() as u32, targets });
        Ok(())
    }

    /// Ends the writing.
    pub(crate) fn finish(self) -> Result<TokenStore> {
        let Self { path, file, items, lengths, words, checksum } = self;
        let file = file.into_inner().map_err(|error| Error::io(&path, error.into_error()))?;
        Ok(TokenStore { path, file, items, lengths, words, checksum })
    }
}

/// Reads items.
pub(crate) struct TokenStore {
    path: PathBuf,
    file: File,
    items: Vec<Item>,
    lengths: Vec<u32>,
    words: u64,
    checksum: u32,
}

impl TokenStore {
    /// How many items there are.
    pub(crate) fn len(&self) -> u64 {
        self.items.len() as u64
    }

    /// Tokens of all items.
    pub(crate) fn tokens(&self) -> u64 {
        self.words
    }

    /// A checksum over every token.
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// How many tokens of an item are targets.
    pub(crate) fn targets_of(&self, item: u64) -> u64 {
        u64::from(self.items[item as usize].targets)
    }

    /// How many tokens an item has.
    pub(crate) fn tokens_of(&self, item: u64) -> u64 {
        self.lengths_of(&self.items[item as usize]).iter().map(|&length| u64::from(length)).sum()
    }

    fn lengths_of(&self, item: &Item) -> &[u32] {
        &self.lengths[item.first_part as usize..][..item.parts as usize]
    }

    /// The sequences of an item.
    pub(crate) fn get(&self, item: u64) -> Result<Vec<Sequence>> {
        let item = &self.items[item as usize];
        let lengths = self.lengths_of(item);
        let words: usize = lengths.iter().map(|&length| length as usize).sum();
        let mut bytes = vec![0; words * 4];
        let read = self.file.read_exact_at(&mut bytes, item.offset * 4);
        read.map_err(|error| Error::io(&self.path, error))?;
        let mut words =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        Ok(lengths
            .iter()
            .map(|&length| {
                let words: Vec<u32> = words.by_ref().take(length as usize).collect();
                Sequence {
                    ids: words.iter().map(|word| word & !LOSS_BIT).collect(),
                    loss: words.iter().map(|word| word & LOSS_BIT != 0).collect(),
                }
            })
            .collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TokenWriter::create(&folder.path().join("tokens")).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was left behind");
        let mut first = Sequence::default();
        first.extend(&[1, 2], false);
        first.extend(&[49_151], true);
        let second = Sequence { ids: vec![7], loss: vec![true] };
        writer.push(std::slice::from_ref(&second)).unwrap();
        writer.push(&[first.clone(), second.clone()]).unwrap();
        let store = writer.finish().unwrap();
        assert_eq!(store.get(1).unwrap(), [first, second]);
        assert_eq!((store.len(), store.tokens()), (2, 5));
        // The first token of a sequence is no target.
        assert_eq!((store.targets_of(0), store.targets_of(1)), (0, 1));
        assert_eq!((store.tokens_of(0), store.tokens_of(1)), (1, 4));
    }
}
