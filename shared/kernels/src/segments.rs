//! The boundaries of the sequences that are laid end to end in one batch.

use std::ops::Range;

use crate::{Result, error::refuse};

/// Sequences laid end to end: cumulative bounds `0 = b0 < b1 < … < bn = t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    bounds: Vec<usize>,
}

impl Segments {
    /// One segment per length; no segment and empty segments are refused.
    pub fn new(lengths: &[usize]) -> Result<Self> {
        if lengths.is_empty() {
            return refuse("segments", "at least one segment is needed");
        }
        let mut bounds = Vec::with_capacity(lengths.len() + 1);
        bounds.push(0);
        let mut total = 0_usize;
        for (index, &length) in lengths.iter().enumerate() {
            if length == 0 {
                return refuse("segments", format!("segment {index} is empty"));
            }
            total = match total.checked_add(length) {
                Some(total) => total,
                None => return refuse("segments", "the total length overflows"),
            };
            bounds.push(total);
        }
        Ok(Self { bounds })
    }

    /// Tokens of all segments together.
    pub fn total(&self) -> usize {
        self.bounds[self.bounds.len() - 1]
    }

    /// Number of segments.
    pub fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    /// `count() + 1` cumulative bounds, from 0 to `total()`.
    pub fn bounds(&self) -> &[usize] {
        &self.bounds
    }

    /// The token range of each segment, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        (0..self.count()).map(|i| self.bounds[i]..self.bounds[i + 1])
    }

    /// The longest segment, in tokens.
    pub fn longest(&self) -> usize {
        self.iter().map(|range| range.len()).max().unwrap_or(0)
    }

    /// The position of every token inside its segment, counted from 0.
    pub fn positions(&self) -> Vec<u32> {
        self.iter().flat_map(|range| (0..range.len()).map(|p| p as u32)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_positions() {
        let segments = Segments::new(&[2, 1, 3]).unwrap();
        assert_eq!(segments.total(), 6);
        assert_eq!(segments.iter().collect::<Vec<_>>(), [0..2, 2..3, 3..6]);
        assert_eq!(segments.positions(), [0, 1, 0, 0, 1, 2]);
        assert_eq!(segments.longest(), 3);
    }

    #[test]
    fn empty_segments_are_refused() {
        assert!(Segments::new(&[]).is_err());
        let error = Segments::new(&[3, 0]).unwrap_err().to_string();
        assert!(error.contains("segment 1 is empty"), "{error}");
    }
}
