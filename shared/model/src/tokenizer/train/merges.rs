//! Byte-pair merges learnt from counted words (Sennrich et al. 2016): the most frequent pair of neighbours becomes one token,
//! again and again.
//!
//! Of equally frequent pairs the one of lower ids goes first, so the same words give the same merges. (The `tokenizers` crate's
//! trainer counts in 32 bits, and where one token comes of two pairs its result depends on the order of a hash table.)

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

/// Two neighbours by id.
pub(super) type Pair = (u32, u32);

/// A pair must occur this often to become a token.
const LEAST_COUNT: u64 = 2;

/// A word as tokens, and how often it occurs.
#[derive(Debug)]
pub(super) struct Word {
    tokens: Vec<u32>,
    count: u64,
}

impl Word {
    pub(super) fn new(tokens: impl Iterator<Item = u32>, count: u64) -> Self {
        Self { tokens: tokens.collect(), count }
    }

    fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.tokens.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// Puts `merged` for every `pair`, from the left.
    fn merge(&mut self, pair: Pair, merged: u32) {
        let mut kept = 0;
        let mut at = 0;
        while at < self.tokens.len() {
            let found = self.tokens[at..].starts_with(&[pair.0, pair.1]);
            self.tokens[kept] = if found { merged } else { self.tokens[at] };
            kept += 1;
            at += if found { 2 } else { 1 };
        }
        self.tokens.truncate(kept);
    }
}

/// Learns merges until there are `size` tokens or no pair is left that occurs twice; new tokens are appended to `tokens`.
pub(super) fn learn(words: Vec<Word>, tokens: &mut Vec<String>, size: usize) -> Vec<Pair> {
    let mut index: HashMap<String, u32> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id as u32)).collect();
    let mut pairs = Pairs::new(words);
    let (mut merges, mut known) = (Vec::new(), HashSet::new());
    while tokens.len() < size {
        let Some(pair) = pairs.most_frequent() else { break };
        let text = format!("{}{}", tokens[pair.0 as usize], tokens[pair.1 as usize]);
        // Two pairs may make one token: `ab` + `c` and `a` + `bc`.
        let merged = *index.entry(text).or_insert_with_key(|text| {
            tokens.push(text.clone());
            (tokens.len() - 1) as u32
        });
        // A token made another way can bring a pair back; its merge is learnt already.
        if known.insert(pair) {
            merges.push(pair);
        }
        pairs.merge(pair, merged);
    }
    merges
}

/// Words with the counts of their pairs.
struct Pairs {
    words: Vec<Word>,
    counts: HashMap<Pair, u64>,
    /// Words a pair is or was in.
    homes: HashMap<Pair, Vec<u32>>,
    /// Counts as they once were: one that has sunk is put back when it is met.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Pairs {
    fn new(words: Vec<Word>) -> Self {
        let (mut counts, mut homes) = (HashMap::new(), HashMap::<Pair, Vec<u32>>::new());
        for (at, word) in words.iter().enumerate() {
            for pair in word.pairs() {
                *counts.entry(pair).or_insert(0) += word.count;
                let homes = homes.entry(pair).or_default();
                if homes.last() != Some(&(at as u32)) {
                    homes.push(at as u32);
                }
            }
        }
        let queue = counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
        Self { words, counts, homes, queue }
    }

    fn most_frequent(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now < LEAST_COUNT {
                continue;
            }
            if now == count {
                return Some(pair);
            }
            if now < count {
                self.queue.push((now, Reverse(pair)));
            }
        }
        None
    }

    fn merge(&mut self, pair: Pair, merged: u32) {
        let mut homes = self.homes.remove(&pair).unwrap_or_default();
        homes.sort_unstable();
        homes.dedup();
        let mut grown = BTreeSet::new();
        for home in homes {
            let word = &mut self.words[home as usize];
            if !word.pairs().any(|p| p == pair) {
                continue;
            }
            for old in word.pairs() {
                let count = self.counts.entry(old).or_default();
                *count = count.saturating_sub(word.count);
            }
            word.merge(pair, merged);
            for new in word.pairs() {
                *self.counts.entry(new).or_default() += word.count;
                if new.0 == merged || new.1 == merged {
                    self.homes.entry(new).or_default().push(home);
                    grown.insert(new);
                }
            }
        }
        self.counts.remove(&pair);
        for pair in grown {
            self.queue.extend(self.counts.get(&pair).map(|&count| (count, Reverse(pair))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(words: &[(&str, u64)], size: usize) -> (Vec<String>, Vec<String>) {
        let mut tokens: Vec<String> = ('a'..='e').map(String::from).collect();
        let words = words
            .iter()
            .map(|(word, count)| Word::new(word.bytes().map(|b| u32::from(b - b'a')), *count))
            .collect();
        let merges = learn(words, &mut tokens, size);
        let merges = merges.iter().map(|&(l, r)| format!("{}+{}", tokens[l as usize], tokens[r as usize]));
        (merges.collect(), tokens.split_off(5))
    }

    #[test]
    fn the_most_frequent_pair_goes_first_and_ties_go_by_id() {
        let (merges, tokens) = learnt(&[("abab", 3), ("cd", 3), ("ce", 3), ("de", 1)], 100);
        assert_eq!(merges, ["a+b", "c+d", "c+e", "ab+ab"]);
        assert_eq!(tokens, ["ab", "cd", "ce", "abab"]);
        assert_eq!(learnt(&[("abab", 3), ("cd", 3)], 6).1, ["ab"]);
        assert_eq!(learnt(&[("ab", 1), ("", 5), ("a", 9)], 100).0, [""; 0]);
    }

    #[test]
    fn runs_of_one_letter_are_merged_from_the_left() {
        let (merges, _) = learnt(&[("aaaaa", 2)], 100);
        assert_eq!(merges, ["a+a", "aa+a", "aa+aaa"]);
    }

    #[test]
    fn one_token_of_two_pairs_is_one_token() {
        let mut tokens = ["a", "b", "c", "ab", "bc"].map(str::to_owned).to_vec();
        let words = vec![Word::new([3, 2].into_iter(), 5), Word::new([0, 4].into_iter(), 4)];
        assert_eq!(learn(words, &mut tokens, 100), [(3, 2), (0, 4)]);
        assert_eq!(tokens[5..], ["abc"]);
    }

    /// A count so large that 32 bits would overflow.
    #[test]
    fn counts_are_wide() {
        let (merges, _) = learnt(&[("ab", u64::from(u32::MAX)), ("cd", 2)], 100);
        assert_eq!(merges, ["a+b", "c+d"]);
    }
}
