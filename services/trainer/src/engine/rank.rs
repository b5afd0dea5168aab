//! Which share of the work is this process's. Today there is one: rank 0 of 1.

/// A process's place among the data-parallel processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    /// From 0.
    pub(crate) index: usize,
    /// How many there are.
    pub(crate) count: usize,
}

impl Rank {
    /// The only process of a run.
    pub(crate) const ALONE: Self = Self { index: 0, count: 1 };

    /// This rank's share of the items of a step, in order: every `count`-th, so that shares differ by one at most.
    pub(crate) fn share(self, items: &[u64]) -> Vec<u64> {
        items.iter().copied().skip(self.index).step_by(self.count).collect()
    }

    /// True for the rank that writes files and lines.
    pub(crate) fn leads(self) -> bool {
        self.index == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_every_item_once() {
        let items: Vec<u64> = (0..10).collect();
        let mut all: Vec<u64> = (0..3).flat_map(|index| Rank { index, count: 3 }.share(&items)).collect();
        all.sort_unstable();
        assert_eq!(all, items);
        assert_eq!(Rank::ALONE.share(&items), items);
    }
}
