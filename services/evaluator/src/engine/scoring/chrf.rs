//! chrF and chrF++ over a corpus (Popović 2015, 2017) as sacrebleu 2 computes them: up to six characters a run, white
//! space removed, recall weighing twice as much as precision; the best of several references counts.

use super::ngrams::{common, count, total};
use crate::engine::python;

/// The longest runs of characters counted.
const CHARACTERS: usize = 6;
/// β².
const RECALL_WEIGHT: f64 = 4.0;

/// Runs of one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Runs {
    answer: usize,
    reference: usize,
    common: usize,
}

/// What chrF is made of; rows add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chrf(Vec<Runs>);

impl Chrf {
    /// The counts of one answer; words are counted in runs up to `word_order`.
    pub(super) fn of(answer: &str, references: &[String], word_order: usize) -> Self {
        let mut best: Option<(f64, Self)> = None;
        for reference in references {
            let counts = Self::against(answer, reference, word_order);
            let score = counts.score();
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, counts));
            }
        }
        best.map_or_else(|| Self(vec![Runs::default(); CHARACTERS + word_order]), |(_, counts)| counts)
    }

    fn against(answer: &str, reference: &str, word_order: usize) -> Self {
        let (own, other) = (characters(answer), characters(reference));
        let mut all: Vec<Runs> = (1..=CHARACTERS).map(|order| Runs::of(&own, &other, order)).collect();
        let (own, other) = (words(answer), words(reference));
        all.extend((1..=word_order).map(|order| Runs::of(&own, &other, order)));
        Self(all)
    }

    /// Adds another row.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.answer += other.answer;
            own.reference += other.reference;
            own.common += other.common;
        }
    }

    /// From 0 to 100: Fβ of the precision and recall averaged over the orders that both texts have.
    pub(super) fn score(&self) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
        for runs in self.0.iter().filter(|runs| runs.answer > 0 && runs.reference > 0) {
            precision += runs.common as f64 / runs.answer as f64;
            recall += runs.common as f64 / runs.reference as f64;
            orders += 1.0;
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precision / orders, recall / orders);
        let product = (1.0 + RECALL_WEIGHT) * precision * recall;
        100.0 * (product / (RECALL_WEIGHT * precision + recall))
    }
}

impl Runs {
    fn of<T: Eq + std::hash::Hash>(answer: &[T], reference: &[T], order: usize) -> Self {
        let (own, other) = (count(answer, order), count(reference, order));
        let reference = total(&other);
        // What no reference has in this length does not count against the answer.
        Self { answer: if reference > 0 { total(&own) } else { 0 }, reference, common: common(&own, &other) }
    }
}

fn characters(text: &str) -> Vec<char> {
    text.chars().filter(|character| !python::is_space(*character)).collect()
}

/// Words, one punctuation mark split from their end or, failing that, from their beginning.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in python::split(text) {
        let mark = |c: char| c.is_ascii_punctuation();
        let single = word.chars().nth(1).is_none();
        match (word.strip_suffix(mark), word.strip_prefix(mark)) {
            (Some(before), _) if !single => words.extend([before, &word[before.len()..]]),
            (None, Some(after)) if !single => words.extend([&word[..word.len() - after.len()], after]),
            _ => words.push(word),
        }
    }
    words
}
