//! The element-wise steps of attention, one row of scores at a time.

use super::forward::{KEYS, QUERIES};
use crate::{exponential::exp, isa::vectorized};

/// Partial maxima and sums of a row: the length of a vector, and a divisor of [`KEYS`].
const LANES: usize = 16;

/// How many keys of the block starting at key `from` each of `rows` queries sees; the first query sees keys below `first_limit`.
pub(super) fn causal_limits(first_limit: usize, rows: usize, from: usize) -> impl Iterator<Item = usize> {
    (first_limit..first_limit + rows).map(move |limit| limit.saturating_sub(from).min(KEYS))
}

/// The softmax of a block of queries over the blocks of keys seen so far.
pub(super) struct Running {
    /// The highest score of each query.
    pub(super) maxima: [f32; QUERIES],
    /// The sum of its weights.
    pub(super) sums: [f32; QUERIES],
    /// The factor for what was summed before the last block.
    pub(super) kept: [f32; QUERIES],
}

impl Running {
    pub(super) fn new() -> Self {
        Self { maxima: [f32::NEG_INFINITY; QUERIES], sums: [0.0; QUERIES], kept: [1.0; QUERIES] }
    }

    /// Turns the scores of `limits.len()` queries over the next block into weights `exp(scale · score - max)`, 0 from each query's
    /// limit on. `scale` is above 0.
    pub(super) fn weigh(&mut self, scores: &mut Scores, limits: &[usize], scale: f32) {
        weigh(scores, limits, scale, self);
    }
}

/// Scores of a block of queries over a block of keys, a row a query.
#[repr(C, align(64))]
pub(super) struct Scores(pub(super) [[f32; KEYS]; QUERIES]);

vectorized! {
    fn weigh(scores: &mut Scores, limits: &[usize], scale: f32, running: &mut Running) {
        let Running { maxima, sums, kept } = running;
        for ((row, &limit), (max, kept)) in scores.0.iter_mut().zip(limits).zip(maxima.iter_mut().zip(kept.iter_mut())) {
            row[limit.min(KEYS)..].fill(f32::NEG_INFINITY);
            let mut lanes = [f32::NEG_INFINITY; LANES];
            for block in row.as_chunks::<LANES>().0 {
                for (lane, &x) in lanes.iter_mut().zip(block) {
                    *lane = if x > *lane { x } else { *lane };
                }
            }
            for half in [8, 4, 2, 1] {
                let (low, high) = lanes.split_at_mut(half);
                for (low, high) in low.iter_mut().zip(high) {
                    *low = if *high > *low { *high } else { *low };
                }
            }
            // Until all are known, the difference to the maximum before.
            let highest = max.max(lanes[0] * scale);
            *kept = *max - highest;
            *max = highest;
        }
        for kept in kept.iter_mut() {
            *kept = exp(*kept);
        }
        for ((row, _), (max, (sum, kept))) in
            scores.0.iter_mut().zip(limits).zip(maxima.iter().zip(sums.iter_mut().zip(kept.iter())))
        {
            let mut lanes = [0.0_f32; LANES];
            for row in row.as_chunks_mut::<LANES>().0 {
                for (lane, x) in lanes.iter_mut().zip(row) {
                    *x = exp(x.mul_add(scale, -*max));
                    *lane += *x;
                }
            }
            for half in [8, 4, 2, 1] {
                let (low, high) = lanes.split_at_mut(half);
                for (low, high) in low.iter_mut().zip(high) {
                    *low += *high;
                }
            }
            *sum = *sum * *kept + lanes[0];
        }
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
    pub(super) fn score_gradients(scores: &mut [f32; KEYS], dp: &mut [f32; KEYS], limit: usize, scale: f32, log_sum: f32, delta: f32) {
        for (score, dp) in scores.iter_mut().zip(dp.iter_mut()) {
            let p = exp(score.mul_add(scale, -log_sum));
            *score = p;
            *dp = (*dp - delta) * p * scale;
        }
        scores[limit..].fill(0.0);
        dp[limit..].fill(0.0);
    }
}
