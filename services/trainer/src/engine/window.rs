//! Sums over the steps since the last metric line. They are part of a checkpoint: the first line after it is then the one that
//! an uninterrupted run would have written.

use serde::{Deserialize, Serialize};

use super::session::{StepOutcome, Sums};

/// Steps that were not reported yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// Of the steps whose sums are finite: under fp16 a step may overflow and be skipped.
    pub(crate) sums: Sums,
    /// Sum of those steps' mean losses.
    losses: f64,
    finite_steps: u64,
    steps: u64,
    pub(crate) tokens: u64,
    pub(crate) trained_tokens: u64,
    /// Time the steps took; validation and checkpoints are not counted.
    seconds: f64,
}

impl Window {
    /// Takes note of a step that took `seconds`.
    pub(crate) fn add(&mut self, outcome: &StepOutcome, seconds: f64) {
        if outcome.sums.is_finite() {
            self.sums.add(outcome.sums);
            self.losses += outcome.sums.loss();
            self.finite_steps += 1;
        }
        self.steps += 1;
        self.tokens += outcome.tokens;
        self.trained_tokens += outcome.trained_tokens;
        self.seconds += seconds;
    }

    /// Mean of the steps' mean losses; NaN where no step has a finite one.
    pub(crate) fn loss(&self) -> f64 {
        self.losses / self.finite_steps as f64
    }

    /// Input tokens a second.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds.max(1e-9)
    }

    /// Mean time of a step.
    pub(crate) fn step_seconds(&self) -> f64 {
        self.seconds / self.steps.max(1) as f64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#[allow(clippy::float_cmp, reason = "small whole numbers are exact")]
mod tests {
    use super::{super::supervised::TokenSums, *};

    fn outcome(loss: f64) -> StepOutcome {
        let tokens = TokenSums { loss, targets: 2, correct: 1 };
        StepOutcome {
            sums: Sums { tokens, ..Sums::default() },
            grad_norm: 1.0,
            learning_rate: 1.0,
            tokens: 10,
            trained_tokens: 2,
            skipped: !loss.is_finite(),
        }
    }

    #[test]
    fn a_step_that_overflowed_spoils_neither_the_mean_nor_the_checkpoint() {
        let mut window = Window::default();
        for loss in [4.0, f64::NAN, 8.0] {
            window.add(&outcome(loss), 0.5);
        }
        assert_eq!((window.loss(), window.tokens_per_second(), window.step_seconds()), (3.0, 20.0, 0.5));
        let saved = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&saved).unwrap(), window);
        assert!(Window::default().loss().is_nan());
    }
}
