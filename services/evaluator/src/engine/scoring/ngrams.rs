//! Runs of n tokens, counted.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each run of n tokens occurs.
pub(super) type Counts<'a, T> = HashMap<&'a [T], usize>;

/// Counts the runs of `n` tokens.
pub(super) fn count<T: Eq + Hash>(tokens: &[T], n: usize) -> Counts<'_, T> {
    let mut counts = HashMap::new();
    for run in tokens.windows(n) {
        *counts.entry(run).or_insert(0) += 1;
    }
    counts
}

/// All runs.
pub(super) fn total<T>(counts: &Counts<'_, T>) -> usize {
    counts.values().sum()
}

/// The runs that both have, each as often as it occurs in both.
pub(super) fn common<T: Eq + Hash>(one: &Counts<'_, T>, other: &Counts<'_, T>) -> usize {
    one.iter().map(|(run, times)| (*times).min(other.get(run).copied().unwrap_or(0))).sum()
}
