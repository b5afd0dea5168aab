//! Log-probabilities from a row of logits, in a fixed order of sums.

use crate::{exponential::exp, isa::vectorized};

/// Logits whose exponentials are summed in f32, against the highest of them: sums of f32 over a whole vocabulary would be off in
/// the sixth digit.
pub(crate) const PART: usize = 512;

/// The softmax of a row of logits: its logarithm is `logit - log_sum`.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax {
    pub(crate) log_sum: f32,
    best: Option<usize>,
}

/// What the softmax of a row needs of [`PART`] logits, or of the last ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    max: f32,
    /// Place in the row of the first one that has it; none where all are NaN.
    best: Option<usize>,
    /// Of `exp(logit - max)`.
    sum: f32,
}

impl Part {
    /// Reads logits that begin at place `first` of their row.
    pub(crate) fn of(logits: &[f32], first: usize) -> Self {
        let max = maximum(logits);
        let best = first_from(logits, max).map(|n| first + n);
        let below = if max == f32::NEG_INFINITY { 0.0 } else { max };
        Self { max, best, sum: sum_of_exponentials(logits, below) }
    }
}

impl LogSoftmax {
    /// Reads a row. A NaN in it makes every log-probability NaN.
    pub fn of(logits: &[f32]) -> Self {
        let parts = logits.chunks(PART).enumerate();
        let parts: Vec<Part> = parts.map(|(n, part)| Part::of(part, n * PART)).collect();
        Self::join(parts.iter())
    }

    /// The softmax of a row from all its parts, in their order.
    pub(crate) fn join<'a>(parts: impl Iterator<Item = &'a Part> + Clone) -> Self {
        let mut highest = Part { max: f32::NEG_INFINITY, best: None, sum: 0.0 };
        for part in parts.clone() {
            if part.max > highest.max {
                highest = *part;
            }
        }
        let Part { max, best, .. } = highest;
        let scale = |part: &Part| (f64::from(part.max) - f64::from(max)).exp();
        let sum: f64 = parts.map(|part| f64::from(part.sum) * scale(part)).sum();
        Self { log_sum: max + sum.ln() as f32, best }
    }

    /// The log-probability of an id with this logit.
    pub fn log_prob(self, logit: f32) -> f32 {
        logit - self.log_sum
    }

    /// Whether the id is the first of those with the highest logit; NaN is never the highest.
    pub fn is_best(self, id: usize) -> bool {
        self.best == Some(id)
    }
}

vectorized! {
    fn maximum(xs: &[f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (blocks, rest) = xs.as_chunks::<16>();
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

vectorized! {
    /// The first place of a value that is `least` or greater.
    fn first_from(xs: &[f32], least: f32) -> Option<usize> {
        let reaching = |block: &[f32]| block.iter().filter(|&&x| x >= least).count();
        let block = xs.chunks(64).position(|block| reaching(block) > 0)?;
        xs[block * 64..].iter().position(|&x| x >= least).map(|n| block * 64 + n)
    }
}

vectorized! {
    fn sum_of_exponentials(xs: &[f32], max: f32) -> f32 {
        let mut lanes = [0.0_f32; 16];
        let (blocks, rest) = xs.as_chunks::<16>();
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane += exp(x - max);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += exp(x - max);
        }
        for half in [8, 4, 2, 1] {
            let (low, high) = lanes.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                *low += *high;
            }
        }
        lanes[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_are_those_of_f64() {
        for n in [1, 5, 16, 100, 511, 512, 513, 5003] {
            let logits: Vec<f32> = (0..n).map(|index| (index as f32 * 0.37).sin() * 5.0).collect();
            let softmax = LogSoftmax::of(&logits);
            let log_sum = logits.iter().map(|&logit| f64::from(logit).exp()).sum::<f64>().ln();
            for (id, &logit) in logits.iter().enumerate() {
                let want = f64::from(logit) - log_sum;
                let got = f64::from(softmax.log_prob(logit));
                assert!((got - want).abs() < 2e-6 * want.abs().max(1.0), "{id} of {n}: {got} {want}");
            }
        }
    }

    #[test]
    fn the_first_of_equals_is_best_and_nan_is_kept() {
        let logits = [1.0, 3.0, 3.0, f32::NEG_INFINITY];
        let softmax = LogSoftmax::of(&logits);
        assert_eq!([0, 1, 2, 3].map(|id| softmax.is_best(id)), [false, true, false, false]);
        let broken = [1.0, f32::NAN, 2.0];
        assert!(LogSoftmax::of(&broken).log_prob(broken[0]).is_nan());
        assert!(!softmax.is_best(4));
        assert!(!LogSoftmax::of(&[f32::NAN; 2]).is_best(0) && LogSoftmax::of(&broken).is_best(2));
    }
}
