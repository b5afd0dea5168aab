//! Element-wise passes, in parallel. Both operands have the same length.

use rayon::prelude::*;

use super::filled;
use crate::{Compute, pool::in_pool};

/// Elements a task works on: they stay in the first cache.
const PART: usize = 1 << 12;

/// `y += x`.
pub fn add(y: &mut [f32], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    in_pool(|| {
        y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
        });
    });
}

/// `x + y`.
pub fn sum(x: &[f32], y: &[f32]) -> Vec<f32> {
    debug_assert_eq!(y.len(), x.len());
    filled(x.len(), PART, |from, total| {
        total.iter_mut().zip(&x[from..]).zip(&y[from..]).for_each(|((total, x), y)| *total = x + y);
    })
}

/// `y *= x`.
pub fn multiply(y: &mut [f32], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    in_pool(|| {
        y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y *= x);
        });
    });
}

/// `scale · x`.
pub fn scaled(x: &[f32], scale: f32) -> Vec<f32> {
    in_pool(|| x.par_iter().with_min_len(PART).map(|x| x * scale).collect())
}

/// `y = round(y + round(scale · x))`.
pub fn add_scaled(y: &mut [f32], x: &[f32], scale: f32, compute: Compute) {
    debug_assert_eq!(y.len(), x.len());
    in_pool(|| {
        y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
            let mut part = [0.0_f32; PART];
            let part = &mut part[..x.len()];
            part.iter_mut().zip(x).for_each(|(part, x)| *part = x * scale);
            compute.round_slice(part);
            y.iter_mut().zip(&*part).for_each(|(y, part)| *y += part);
            compute.round_slice(y);
        });
    });
}

/// Some rows of `x`, one after another; a row has `width` values.
pub fn gathered(x: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|row| &x[row * width..][..width]).copied().collect()
}

/// `y = round(y + round(bias))` for every row.
pub fn add_bias(y: &mut [f32], bias: &[f32], compute: Compute) {
    let mut bias = bias.to_vec();
    compute.round_slice(&mut bias);
    in_pool(|| {
        y.par_chunks_mut(bias.len()).for_each(|row| {
            row.iter_mut().zip(&bias).for_each(|(y, b)| *y += b);
            compute.round_slice(row);
        });
    });
}

/// Adds the sum of all rows of `x` to `sum`, row after row.
pub fn column_sums(x: &[f32], sum: &mut [f32]) {
    for row in x.chunks(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}
