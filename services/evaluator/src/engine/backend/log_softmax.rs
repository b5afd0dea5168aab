//! Log-probabilities of targets from rows of logits: in f32 as the harness, summed in a fixed order.

/// A row's normaliser and its most probable id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    normaliser: f32,
    /// The first of the largest logits.
    pub best: u32,
}

impl Row {
    /// Reads a row of logits. Any NaN makes every log-probability NaN.
    pub(super) fn new(logits: &[f32]) -> Self {
        let mut best = (0, f32::NEG_INFINITY);
        let mut broken = false;
        for (index, logit) in logits.iter().enumerate() {
            broken |= logit.is_nan();
            if *logit > best.1 {
                best = (index as u32, *logit);
            }
        }
        if broken {
            return Self { normaliser: f32::NAN, best: best.0 };
        }
        // Eight partial sums in a fixed order: vector-friendly, and the same bits everywhere.
        let mut sums = [0.0_f64; 8];
        for chunk in logits.chunks(8) {
            for (sum, logit) in sums.iter_mut().zip(chunk) {
                *sum += f64::from((logit - best.1).exp());
            }
        }
        Self { normaliser: best.1 + (sums.iter().sum::<f64>()).ln() as f32, best: best.0 }
    }

    /// The log-probability of an id.
    pub(super) fn log_probability(self, logits: &[f32], id: u32) -> f32 {
        logits.get(id as usize).map_or(f32::NAN, |logit| logit - self.normaliser)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_nan_is_kept() {
        let logits: Vec<f32> = (0..100).map(|index| (index as f32 * 0.37).sin() * 5.0).collect();
        let row = Row::new(&logits);
        let total: f32 = (0..100).map(|id| row.log_probability(&logits, id).exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(logits[row.best as usize].to_bits(), largest.to_bits());
        let broken = [1.0, f32::NAN, 2.0];
        assert!(Row::new(&broken).log_probability(&broken, 0).is_nan());
    }
}
