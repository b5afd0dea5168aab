//! Pairs the samples of two evaluations of one task: the same row under the same filter.
//!
//! Rows are known by the hash of their content, so that a split in another order, or one with rows added, still pairs.

use std::collections::HashMap;

use super::folder::Sample;

/// The samples of one task, side by side.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The same row in both, in the order of the first.
    pub(super) both: Vec<(Sample, Sample)>,
    /// Rows that only the first has, by number.
    pub(super) only_a: Vec<usize>,
    /// Rows that only the second has, by number.
    pub(super) only_b: Vec<usize>,
}

impl Pairs {
    /// Pairs two lists of samples. Of rows that are alike in one list the nth goes with the nth.
    pub(super) fn of(a: Vec<Sample>, b: Vec<Sample>) -> Self {
        let mut open: HashMap<(String, String), Vec<Sample>> = HashMap::new();
        for sample in b.into_iter().rev() {
            open.entry((sample.doc_hash.clone(), sample.filter.clone())).or_default().push(sample);
        }
        let mut pairs = Self::default();
        for sample in a {
            let key = (sample.doc_hash.clone(), sample.filter.clone());
            match open.get_mut(&key).and_then(Vec::pop) {
                Some(other) => pairs.both.push((sample, other)),
                None => pairs.only_a.push(sample.doc_id),
            }
        }
        pairs.only_b = open.into_values().flatten().map(|sample| sample.doc_id).collect();
        for ids in [&mut pairs.only_a, &mut pairs.only_b] {
            ids.sort_unstable();
            ids.dedup();
        }
        pairs
    }

    /// The metrics that both have, as `metric,filter`, in order.
    pub(super) fn metrics(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (a, b) in &self.both {
            for metric in a.metrics.iter().filter(|metric| b.metrics.contains(metric)) {
                let name = format!("{metric},{}", a.filter);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}
