//! Dynamic loss scaling for fp16, as `torch.amp.GradScaler` does it: start at 2¹⁶, double after 2000 good steps, halve and
//! skip the step when a gradient is not finite.

use serde::{Deserialize, Serialize};

const START: f64 = 65_536.0;
const GROWTH_STEPS: u32 = 2000;
/// Below this the loss itself is broken, not its scale.
const LEAST: f64 = 1.0 / 65_536.0;

/// The factor on the loss, and how long it held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossScale {
    dynamic: bool,
    scale: f64,
    good_steps: u32,
}

impl LossScale {
    /// A scale that adapts (fp16), or 1 for ever.
    pub(crate) fn new(dynamic: bool) -> Self {
        Self { dynamic, scale: if dynamic { START } else { 1.0 }, good_steps: 0 }
    }

    /// The factor on the loss.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// True where a step with broken gradients is skipped instead of ending the run.
    pub(crate) fn may_skip(&self) -> bool {
        self.dynamic && self.scale > LEAST
    }

    /// Takes note of a step.
    pub(crate) fn update(&mut self, finite: bool) {
        if !self.dynamic {
            return;
        }
        if !finite {
            (self.scale, self.good_steps) = (self.scale * 0.5, 0);
            return;
        }
        self.good_steps += 1;
        if self.good_steps == GROWTH_STEPS {
            (self.scale, self.good_steps) = (self.scale * 2.0, 0);
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "powers of two are exact")]
mod tests {
    use super::*;

    #[test]
    fn halves_on_overflow_and_doubles_after_a_while() {
        let mut scale = LossScale::new(true);
        scale.update(false);
        assert_eq!(scale.scale(), 32_768.0);
        (0..2000).for_each(|_| scale.update(true));
        assert_eq!(scale.scale(), 65_536.0);
        (0..40).for_each(|_| scale.update(false));
        assert!(!scale.may_skip());
        let mut fixed = LossScale::new(false);
        fixed.update(false);
        assert_eq!(fixed.scale(), 1.0);
        assert!(!fixed.may_skip());
    }
}
