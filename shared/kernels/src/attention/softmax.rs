//! The element-wise steps of attention, one row of scores at a time.

use super::forward::KEYS;
use crate::{exponential::exp, isa::vectorized};

/// Partial maxima and sums of a row: the length of a vector, and a divisor of [`KEYS`].
const LANES: usize = 16;

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
        for x in row.iter_mut() {
            *x *= scale;
        }
        row[limit..].fill(f32::NEG_INFINITY);
        let mut lanes = [f32::NEG_INFINITY; LANES];
        for block in row.as_chunks::<LANES>().0 {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        let highest = lanes.into_iter().fold(*max, f32::max);
        let kept = exp(*max - highest);
        let mut lanes = [0.0_f32; LANES];
        for block in row.as_chunks_mut::<LANES>().0 {
            for (lane, x) in lanes.iter_mut().zip(block) {
                *x = exp(*x - highest);
                *lane += *x;
            }
        }
        *max = highest;
        for half in [8, 4, 2, 1] {
            let (low, high) = lanes.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                *low += *high;
            }
        }
        *sum = *sum * kept + lanes[0];
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
        for (score, dp) in scores.iter_mut().zip(dp.iter_mut()) {
            let p = exp(*score * scale - log_sum);
            *score = p;
            *dp = (*dp - delta) * p * scale;
        }
        scores[limit..].fill(0.0);
        dp[limit..].fill(0.0);
    }
}
