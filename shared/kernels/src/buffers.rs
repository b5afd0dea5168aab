//! Scratch memory that is used again and again: fresh pages cost more than packing into them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
/// Buffers kept for later; more are given back to the system.
const KEPT: usize = 8;

/// A scratch slice with unspecified content, given back when dropped.
pub(crate) struct Buffer {
    values: Vec<f32>,
    len: usize,
}

/// A buffer of `len` elements with unspecified content.
pub(crate) fn scratch(len: usize) -> Buffer {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let fitting = (0..free.len()).filter(|&n| free[n].len() >= len).min_by_key(|&n| free[n].len());
    let mut values = match fitting.or_else(|| (0..free.len()).max_by_key(|&n| free[n].len())) {
        Some(n) => free.swap_remove(n),
        None => Vec::new(),
    };
    drop(free);
    if values.len() < len {
        values = vec![0.0; len];
    }
    Buffer { values, len }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.values));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.len]
    }
}
