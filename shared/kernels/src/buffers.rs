//! Memory that begins at a cache line: operands that are read in whole lines must not lie across them (AMX reads a tile of a
//! misaligned panel at half the speed). Scratch memory is used again and again: fresh pages cost more than packing into them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

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
        if self.room() < len {
            *self = Self::zeros(len);
        }
        self.len = len;
    }

    /// The longest it can be without being moved.
    fn room(&self) -> usize {
        self.values.len().saturating_sub(LINE / size_of::<f32>())
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

static FREE: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());
/// Buffers kept for later; more are given back to the system.
const KEPT: usize = 8;

/// A scratch slice, given back when dropped.
pub(crate) struct Buffer(Aligned);

/// A buffer of `len` elements with unspecified content.
pub(crate) fn scratch(len: usize) -> Buffer {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let fitting = (0..free.len()).filter(|&n| free[n].room() >= len).min_by_key(|&n| free[n].room());
    let mut values = match fitting.or_else(|| (0..free.len()).max_by_key(|&n| free[n].room())) {
        Some(n) => free.swap_remove(n),
        None => Aligned::default(),
    };
    drop(free);
    values.resize(len);
    Buffer(values)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.0));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
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
            let scratch = scratch(len);
            assert_eq!(scratch.len(), len);
            assert!(scratch.as_ptr().addr().is_multiple_of(LINE) || len == 0);
        }
    }
}
