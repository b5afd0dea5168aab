//! Memory that begins at a cache line: operands that are read in whole lines must not lie across them (AMX reads a tile of a
//! misaligned panel at half the speed).

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
const LINE: usize = 64;

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

/// Lets values come from memory into the second cache while something else is worked on.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fetch(values: &[f32]) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    for line in values.chunks(LINE / size_of::<f32>()) {
        #[allow(unsafe_code, reason = "a hint about memory that is there")]
        // SAFETY: every x86-64 has the instruction, and it changes nothing.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
}

/// Elsewhere values come when they are read.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn fetch(_values: &[f32]) {}

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
