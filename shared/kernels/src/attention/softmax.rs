//! The element-wise steps of attention, one row of scores at a time.

use super::forward::KEYS;
use crate::{exponential::exp, isa::vectorized};

/// How many keys of the block starting at key `from` each of `rows` queries sees; the first query sees keys below `first_limit`.
pub(super) fn causal_limits(first_limit: usize, rows: usize, from: usize) -> impl Iterator<Item = usize> {
    (first_limit..first_limit + rows).map(move |limit| limit.saturating_sub(from).min(KEYS))
}

/// Turns the scores of one query over one block into weights `exp(scale · score - max)`, 0 from `limit` on; updates the running
/// maximum and sum and answers the factor for what was summed before.
pub(super) fn weigh_row(row: &mut [f32], limit: usize, scale: f32, max: &mut f32, sum: &mut f32) -> f32 {
    if limit == 0 {
        row.fill(0.0);
        return 1.0;
    }
    weigh(row, limit, scale, max, sum)
}

vectorized! {
    fn weigh(row: &mut [f32], limit: usize, scale: f32, max: &mut f32, sum: &mut f32) -> f32 {
        let row: &mut [f32; KEYS] = row.try_into().expect("a row of a block");
        let mut highest = [f32::NEG_INFINITY; 8];
        for (n, x) in row.iter_mut().enumerate() {
            *x = if n < limit { *x * scale } else { f32::NEG_INFINITY };
            highest[n % 8] = if *x > highest[n % 8] { *x } else { highest[n % 8] };
        }
        let highest = highest.into_iter().fold(*max, f32::max);
        let kept = exp(*max - highest);
        let mut lanes = [0.0_f32; 8];
        for (n, x) in row.iter_mut().enumerate() {
            *x = exp(*x - highest);
            lanes[n % 8] += *x;
        }
        *max = highest;
        let pairs = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
        *sum = *sum * kept + ((pairs[0] + pairs[2]) + (pairs[1] + pairs[3]));
        kept
    }
}

vectorized! {
    /// Multiplies a row by a factor.
    pub(super) fn rescale_row(row: &mut [f32], factor: f32) {
        for x in row {
            *x *= factor;
        }
    }
}

vectorized! {
    /// From scores and `dp = grad · vᵀ` of one query: the weights `p = exp(scale · score - log_sum)` in place of the scores and
    /// `ds = scale · p · (dp - delta)` in place of `dp`; both 0 from `limit` on.
    pub(super) fn score_gradients(scores: &mut [f32], dp: &mut [f32], limit: usize, scale: f32, log_sum: f32, delta: f32) {
        for (n, (score, dp)) in scores.iter_mut().zip(dp).enumerate() {
            let p = if n < limit { exp(*score * scale - log_sum) } else { 0.0 };
            let ds = if n < limit { (*dp - delta) * p * scale } else { 0.0 };
            *score = p;
            *dp = ds;
        }
    }
}
