//! The learning rate of a step.

use anneal_contracts::engine::Schedule;

/// Warm-up, then decay to a floor, laid over a known number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LearningRate {
    pub(crate) peak: f64,
    pub(crate) floor: f64,
    pub(crate) schedule: Schedule,
    pub(crate) warmup_steps: u64,
    pub(crate) steps: u64,
}

impl LearningRate {
    /// A schedule over `steps` steps, the first `ceil(warmup_ratio · steps)` of them warming up.
    pub(crate) fn new(peak: f64, floor: f64, schedule: Schedule, warmup_ratio: f64, steps: u64) -> Self {
        let warmup_steps = ((warmup_ratio * steps as f64).ceil() as u64).min(steps);
        Self { peak, floor, schedule, warmup_steps, steps }
    }

    /// The rate of the step after `done` steps: `peak · done / W` while warming up, then
    /// `floor + (peak − floor) · decay(f)` with `f = (done − W) / (N − W)`.
    pub(crate) fn after(&self, done: u64) -> f64 {
        if done < self.warmup_steps {
            return self.peak * done as f64 / self.warmup_steps as f64;
        }
        let span = (self.steps - self.warmup_steps).max(1);
        let f = ((done - self.warmup_steps) as f64 / span as f64).min(1.0);
        let decay = match self.schedule {
            Schedule::Linear => 1.0 - f,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * f).cos()),
            Schedule::Constant => 1.0,
        };
        self.floor + (self.peak - self.floor) * decay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warmup_peak_and_floor() {
        let rate = LearningRate::new(1.0, 0.1, Schedule::Linear, 0.2, 10);
        assert_eq!(rate.warmup_steps, 2);
        assert!((rate.after(0)).abs() < 1e-15);
        assert!((rate.after(1) - 0.5).abs() < 1e-15);
        assert!((rate.after(2) - 1.0).abs() < 1e-15);
        assert!((rate.after(10) - 0.1).abs() < 1e-15);
        let cosine = LearningRate::new(1e-5, 0.0, Schedule::Cosine, 0.0, 20);
        assert!((cosine.after(19) - 6.155_829_702_431_17e-8).abs() < 1e-20);
    }
}
