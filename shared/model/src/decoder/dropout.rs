//! Dropout whose randomness is a value: saved, restored, and the same whatever the number of threads.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::formula;

/// Where a run stands in its sequence of dropout masks. The n-th mask drawn from a seed is always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropoutState {
    seed: u64,
    draws: u64,
}

impl DropoutState {
    /// The start of the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, draws: 0 }
    }

    /// How many masks were drawn.
    pub fn draws(&self) -> u64 {
        self.draws
    }

    /// `x` with each element dropped with `probability` and the rest scaled by `1 / (1 - probability)`.
    pub(crate) fn apply(&mut self, x: &Tensor, probability: f64) -> Result<Tensor> {
        let mask = self.mask(x.elem_count(), probability);
        let mask = Tensor::from_vec(mask, x.shape(), &Device::Cpu)?.to_device(x.device())?;
        Ok(x.mul(&mask)?)
    }

    /// Leaves one mask out.
    pub(super) fn skip(&mut self) {
        self.draws += 1;
    }

    /// The next mask: 0 where an element is dropped, `1 / (1 - probability)` elsewhere.
    pub(super) fn mask(&mut self, count: usize, probability: f64) -> Vec<f32> {
        let stream = formula::bits(self.seed, self.draws);
        self.skip();
        let kept = (1.0 / (1.0 - probability)) as f32;
        (0..count as u64)
            .into_par_iter()
            .map(|n| {
                let draw = (formula::bits(0, stream ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 11) as f64;
                if draw * (1.0 / (1_u64 << 53) as f64) < probability { 0.0 } else { kept }
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_restored_state_draws_the_same_masks() {
        let mut first = DropoutState::new(42);
        first.mask(10, 0.5);
        let saved = serde_json::to_string(&first).unwrap();
        let mut second: DropoutState = serde_json::from_str(&saved).unwrap();
        assert_eq!(first.mask(1000, 0.3), second.mask(1000, 0.3));
        assert_ne!(first.mask(1000, 0.3), DropoutState::new(42).mask(1000, 0.3));
    }

    #[test]
    fn the_share_and_the_mean_are_right() {
        let mask = DropoutState::new(7).mask(100_000, 0.1);
        let dropped = mask.iter().filter(|&&m| m == 0.0).count();
        assert!((9_500..10_500).contains(&dropped), "{dropped}");
        let mean = mask.iter().map(|&m| f64::from(m)).sum::<f64>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }
}
