//! How often each word occurs, in bounded memory.

use std::collections::HashMap;

/// Words kept at most.
const MOST_WORDS: usize = 1 << 21;

/// Counts of words. When there are too many, the rarest go and a later occurrence starts anew (as word2vec reduces its
/// vocabulary): what is lost is a share of the rarest words' counts, and merges are learnt from the frequent ones.
#[derive(Debug)]
pub(super) struct WordCounts {
    counts: HashMap<Box<str>, u64>,
    most: usize,
}

impl Default for WordCounts {
    fn default() -> Self {
        Self::holding(MOST_WORDS)
    }
}

impl WordCounts {
    fn holding(most: usize) -> Self {
        Self { counts: HashMap::new(), most }
    }

    /// Adds the words of one text.
    pub(super) fn add(&mut self, words: HashMap<&str, u64>) {
        for (word, count) in words {
            match self.counts.get_mut(word) {
                Some(sum) => *sum += count,
                None => drop(self.counts.insert(word.into(), count)),
            }
        }
        // After whole texts only, so that the order within one does not matter.
        if self.counts.len() > self.most {
            self.reduce();
        }
    }

    /// Drops every word as rare as the rarer half.
    fn reduce(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let middle = counts.len() / 2;
        let (_, &mut rare, _) = counts.select_nth_unstable(middle);
        self.counts.retain(|_, count| *count > rare);
    }

    /// The words in the order of their bytes.
    pub(super) fn sorted(self) -> Vec<(Box<str>, u64)> {
        let mut words: Vec<_> = self.counts.into_iter().collect();
        words.sort_unstable();
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_stay_when_there_are_too_many() {
        let mut words = WordCounts::holding(100);
        for text in 0..1000 {
            let rare = format!("rare{text}");
            words.add(HashMap::from([("the", 3), ("of", 2), (rare.as_str(), 1)]));
            assert!(words.counts.len() <= 101);
        }
        let words = words.sorted();
        let count = |word: &str| words.iter().find(|(w, _)| &**w == word).map(|(_, count)| *count);
        assert_eq!((count("the"), count("of"), count("rare0")), (Some(3000), Some(2000), None));
        assert!(words.is_sorted());
    }
}
