//! Memory that begins at a cache line: operands that are read in whole lines must not lie across them (AMX reads a tile of a
//! misaligned panel at half the speed).

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// A slice that begins at a cache line.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + LINE / size_of::<f32>()];
        let start = values.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        Self { values, start, len }
    }

    /// Makes it `len` long, with unspecified content.
    pub(crate) fn resize(&mut self, len: usize) {
        if self.values.len().saturating_sub(LINE / size_of::<f32>()) < len {
            *self = Self::zeros(len);
        }
        self.len = len;
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_at_a_cache_line_whatever_its_length() {
        let mut grown = Aligned::default();
        for len in [0, 1, 15, 16, 17, 1000, 100_000] {
            grown.resize(len);
            assert_eq!(grown.len(), len);
            assert!(grown.as_ptr().addr().is_multiple_of(LINE) || len == 0);
        }
    }
}
