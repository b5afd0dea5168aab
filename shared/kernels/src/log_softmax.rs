//! Log-probabilities from a row of logits, in a fixed order of sums.

use crate::{exponential::exp, isa::vectorized};

/// The softmax of a row of logits: its logarithm is `logit - log_sum`.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax {
    max: f32,
    pub(crate) log_sum: f32,
}

impl LogSoftmax {
    /// Reads a row. A NaN in it makes every log-probability NaN.
    pub fn of(logits: &[f32]) -> Self {
        let max = maximum(logits);
        Self { max, log_sum: max + sum_of_exponentials(logits, max).ln() }
    }

    /// The log-probability of the id; NaN for one beyond the vocabulary.
    pub fn log_prob(self, logits: &[f32], id: usize) -> f32 {
        logits.get(id).map_or(f32::NAN, |logit| logit - self.log_sum)
    }

    /// Whether the id is the first of those with the highest logit.
    pub fn is_best(self, logits: &[f32], id: usize) -> bool {
        logits.get(id).is_some_and(|&logit| logit >= self.max)
            && logits[..id].iter().all(|&logit| logit < self.max)
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
    fn sum_of_exponentials(xs: &[f32], max: f32) -> f32 {
        // Sums of f32 over a whole vocabulary would be off in the sixth digit.
        let mut sum = 0.0_f64;
        for part in xs.chunks(512) {
            let mut lanes = [0.0_f32; 16];
            let (blocks, rest) = part.as_chunks::<16>();
            for block in blocks {
                for (lane, &x) in lanes.iter_mut().zip(block) {
                    *lane += exp(x - max);
                }
            }
            for (lane, &x) in lanes.iter_mut().zip(rest) {
                *lane += exp(x - max);
            }
            sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        }
        sum as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_are_those_of_f64() {
        for n in [1, 5, 16, 100, 1003] {
            let logits: Vec<f32> = (0..n).map(|index| (index as f32 * 0.37).sin() * 5.0).collect();
            let softmax = LogSoftmax::of(&logits);
            let log_sum = logits.iter().map(|&logit| f64::from(logit).exp()).sum::<f64>().ln();
            for (id, &logit) in logits.iter().enumerate() {
                let want = f64::from(logit) - log_sum;
                let got = f64::from(softmax.log_prob(&logits, id));
                assert!((got - want).abs() < 2e-6 * want.abs().max(1.0), "{id} of {n}: {got} {want}");
            }
        }
    }

    #[test]
    fn the_first_of_equals_is_best_and_nan_is_kept() {
        let logits = [1.0, 3.0, 3.0, f32::NEG_INFINITY];
        let softmax = LogSoftmax::of(&logits);
        assert_eq!([0, 1, 2, 3].map(|id| softmax.is_best(&logits, id)), [false, true, false, false]);
        let broken = [1.0, f32::NAN, 2.0];
        assert!(LogSoftmax::of(&broken).log_prob(&broken, 0).is_nan());
        assert!(softmax.log_prob(&logits, 4).is_nan() && !softmax.is_best(&logits, 4));
    }
}
