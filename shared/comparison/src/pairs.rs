//! Pairs the samples of two evaluations of one task: the same row under the same filter.
//!
//! Rows are known by the hash of their content, so that a split in another order, or one with rows added, still pairs.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{error::Error, hash::Hash, sample::Sample};

/// The samples of one task, side by side.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// The same row in both, in the order of the first.
    pub(crate) both: Vec<(Sample, Sample)>,
    /// Rows that only the first has, by number.
    pub(crate) only_a: Vec<usize>,
    /// Rows that only the second has, by number.
    pub(crate) only_b: Vec<usize>,
}

impl Pairs {
    /// Pairs the samples of the first with those of the second, which are not kept unless they have a partner. Of rows
    /// that are alike in one list the nth goes with the nth.
    pub(crate) fn of(a: Vec<Sample>, b: impl Iterator<Item = Result<Sample, Error>>) -> Result<Self, Error> {
        let mut open: HashMap<(Hash, Arc<str>), VecDeque<usize>> = HashMap::new();
        for (place, sample) in a.iter().enumerate() {
            open.entry((sample.doc_hash, sample.filter.clone())).or_default().push_back(place);
        }
        let mut partners: Vec<Option<Sample>> = vec![None; a.len()];
        let mut pairs = Self::default();
        for sample in b {
            let sample = sample?;
            let place = open.get_mut(&(sample.doc_hash, sample.filter.clone())).and_then(VecDeque::pop_front);
            match place {
                Some(place) => partners[place] = Some(sample),
                None => pairs.only_b.push(sample.doc_id),
            }
        }
        for (sample, partner) in a.into_iter().zip(partners) {
            match partner {
                Some(partner) => pairs.both.push((sample, partner)),
                None => pairs.only_a.push(sample.doc_id),
            }
        }
        for ids in [&mut pairs.only_a, &mut pairs.only_b] {
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(pairs)
    }

    /// The metrics that both have, as `metric,filter`, in order.
    pub(crate) fn metrics(&self) -> Vec<String> {
        let mut names: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (a, b) in &self.both {
            for (metric, _) in a.metrics.iter().filter(|(metric, _)| b.metric(metric).is_some()) {
                let name = (metric.clone(), a.filter.clone());
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names.into_iter().map(|(metric, filter)| format!("{metric},{filter}")).collect()
    }
}
