//! The n-grams of the evaluated rows, by hash: which rows a sequence of words shares one with.

use super::words::mix;

/// Words of a gram.
pub(super) const LONGEST: usize = 13;
/// The base of the polynomial over the words' hashes; odd, so that no word is lost.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Grams with the rows that have them. Filled first, then sorted, then asked.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Hash of a gram, and the number of a row that has it.
    grams: Vec<(u64, u32)>,
    /// A bit for each hash that may be there: most words need no search.
    seen: Vec<u64>,
    /// Lengths that occur.
    lengths: [bool; LONGEST + 1],
}

/// A gram of a sequence that rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// A row that has it.
    pub(super) row: u32,
    /// Where it ends in the sequence, exclusive.
    pub(super) end: usize,
    /// Its words.
    pub(super) length: usize,
}

impl Index {
    /// Grams held.
    pub(super) fn len(&self) -> usize {
        self.grams.len()
    }

    /// Adds every gram of so many words of a sequence.
    pub(super) fn add(&mut self, row: u32, words: &[u64], length: usize) {
        let grams = &mut self.grams;
        each_gram(words, length, |hash, _| grams.push((hash, row)));
        self.lengths[length] |= words.len() >= length;
    }

    /// Nothing is added from here on.
    pub(super) fn sort(&mut self) {
        self.grams.sort_unstable();
        self.grams.dedup();
        // At least eight bits a gram: one word in eight that is not there is searched for.
        self.seen = vec![0; (self.grams.len() / 8).next_power_of_two()];
        for (hash, _) in &self.grams {
            let (word, bit) = place(self.seen.len(), *hash);
            self.seen[word] |= bit;
        }
    }

    /// Calls `f` with every gram of a sequence that rows have, once for each of them.
    pub(super) fn search(&self, words: &[u64], mut f: impl FnMut(Hit)) {
        for length in (1..=LONGEST).filter(|length| self.lengths[*length]) {
            each_gram(words, length, |hash, end| {
                let (word, bit) = place(self.seen.len(), hash);
                if self.seen[word] & bit == 0 {
                    return;
                }
                let first = self.grams.partition_point(|(other, _)| *other < hash);
                for (_, row) in self.grams[first..].iter().take_while(|(other, _)| *other == hash) {
                    f(Hit { row: *row, end, length });
                }
            });
        }
    }
}

/// The word of a bit map, and the bit in it, for a hash.
fn place(words: usize, hash: u64) -> (usize, u64) {
    let bit = hash as usize & (words * 64 - 1);
    (bit / 64, 1 << (bit % 64))
}

/// Calls `f` with the hash of each gram and where it ends: a rolling polynomial modulo 2^64 (Karp and Rabin 1987).
fn each_gram(words: &[u64], length: usize, mut f: impl FnMut(u64, usize)) {
    if length == 0 || words.len() < length {
        return;
    }
    let leaving = (0..length).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut rolling = 0_u64;
    for (place, word) in words.iter().enumerate() {
        rolling = rolling.wrapping_mul(BASE).wrapping_add(*word);
        if place >= length {
            rolling = rolling.wrapping_sub(words[place - length].wrapping_mul(leaving));
        }
        if place + 1 >= length {
            f(mix(rolling ^ length as u64), place + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::hash_words;
    use super::*;

    fn hashes(text: &str) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash_words(text, &mut hashes);
        hashes
    }

    fn hits(index: &Index, text: &str) -> Vec<(u32, usize)> {
        let mut hits = Vec::new();
        index.search(&hashes(text), |hit| hits.push((hit.row, hit.end)));
        hits
    }

    #[test]
    fn a_gram_is_found_wherever_it_stands_and_in_every_row_that_has_it() {
        let mut index = Index::default();
        let alphabet = "a b c d e f g h i j k l m n o";
        index.add(0, &hashes(alphabet), LONGEST);
        index.add(7, &hashes("x b c d e f g h i j k l m n"), LONGEST);
        index.add(3, &hashes("one two three"), 3);
        index.sort();
        assert_eq!(hits(&index, "b c d e f g h i j k l m n"), [(0, 13), (7, 13)]);
        assert_eq!(hits(&index, "zero One, two: three four"), [(3, 4)]);
        assert_eq!(hits(&index, "c d e f g h i j k l m n"), [], "twelve words of fifteen are no leak");
        assert_eq!(hits(&index, "one two four three two one"), []);
        assert_eq!(hits(&Index::default().sorted(), alphabet), []);
    }

    impl Index {
        fn sorted(mut self) -> Self {
            self.sort();
            self
        }
    }
}
