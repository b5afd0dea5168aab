//! Metrics of steps and validations, under their standard names, to the lines, to TensorBoard and to the history.

use std::path::Path;

use anneal_runtime::clock::SharedClock;

use super::{
    Output, Result,
    events::EventFile,
    point::{Point, Values},
    session::{Session, StepOutcome, Sums},
};

/// Gives out metrics and keeps them.
pub(crate) struct Report {
    clock: SharedClock,
    events: EventFile,
    /// Everything reported so far. It goes into every checkpoint, whole: about 300 bytes a report.
    pub(crate) history: Vec<Point>,
    started: std::time::Instant,
    first_step: u64,
}

impl Report {
    /// A report that goes on after `step` steps with the history so far.
    pub(crate) fn new(folder: &Path, clock: SharedClock, step: u64, history: Vec<Point>) -> Result<Self> {
        let events = EventFile::create(folder, &clock, step)?;
        let started = clock.monotonic();
        Ok(Self { clock, events, history, started, first_step: step })
    }

    /// Gives out the history again: whoever reads this run's lines, or its TensorBoard folder, may not have seen what a run
    /// before it gave out. Readers take a point of the same step and name for the same point.
    pub(crate) fn replay(&mut self, output: &mut Output) -> Result<()> {
        for point in &self.history {
            self.events.scalars(point)?;
            output.line(&point.line());
        }
        Ok(())
    }

    /// Reports the steps since the last report; `outcome` is the last of them.
    pub(crate) fn train(
        &mut self,
        session: &mut Session,
        outcome: &StepOutcome,
        output: &mut Output,
    ) -> Result<()> {
        let window = std::mem::take(&mut session.position.window);
        let mut values = of_sums(&window.sums);
        let mut put = |name: &str, value: f64| values.insert(name.to_owned(), value);
        put("loss", window.loss());
        put("grad_norm", outcome.grad_norm);
        put("learning_rate", outcome.learning_rate);
        put("epoch", session.epoch());
        put("num_tokens", session.position.tokens as f64);
        put("tokens", window.tokens as f64);
        put("trained_tokens", window.trained_tokens as f64);
        put("tokens_per_second", window.tokens_per_second());
        put("step_seconds", window.step_seconds());
        if let Ok(bytes) = anneal_runtime::memory::peak_rss_bytes() {
            put("peak_rss_bytes", bytes as f64);
        }
        if session.position.loss_scale.scale() > 1.0 {
            put("loss_scale", session.position.loss_scale.scale());
        }
        self.write(session, values, output)?;
        let done = session.position.step;
        let elapsed = self.clock.monotonic().duration_since(self.started).as_secs_f64();
        let per_step = elapsed / (done - self.first_step).max(1) as f64;
        output.progress(done, session.steps(), "steps", Some(per_step * (session.steps() - done) as f64));
        Ok(())
    }

    /// Reports a validation.
    pub(crate) fn validation(&mut self, session: &Session, sums: &Sums, output: &mut Output) -> Result<()> {
        let mut values = of_sums(sums);
        values.insert("loss".to_owned(), sums.loss());
        let values = values.into_iter().map(|(name, value)| (format!("eval/{name}"), value)).collect();
        self.write(session, values, output)
    }

    fn write(&mut self, session: &Session, values: Values, output: &mut Output) -> Result<()> {
        let wall_time = self.clock.unix_ms() as f64 / 1000.0;
        let point = Point { step: session.position.step, epoch: session.epoch(), wall_time, values };
        self.events.scalars(&point)?;
        output.line(&point.line());
        self.history.push(point);
        Ok(())
    }
}

/// Means of what the objective summed up.
fn of_sums(sums: &Sums) -> Values {
    let mut values = Values::new();
    let mut put = |name: &str, value: f64| values.insert(name.to_owned(), value);
    if sums.tokens.targets > 0 {
        put("mean_token_accuracy", sums.tokens.correct as f64 / sums.tokens.targets as f64);
    }
    let pairs = &sums.pairs;
    if pairs.pairs > 0 {
        let n = pairs.pairs as f64;
        put("rewards/chosen", pairs.reward_chosen / n);
        put("rewards/rejected", pairs.reward_rejected / n);
        put("rewards/margins", (pairs.reward_chosen - pairs.reward_rejected) / n);
        put("rewards/accuracies", pairs.accuracy / n);
        put("logps/chosen", pairs.policy.chosen / n);
        put("logps/rejected", pairs.policy.rejected / n);
        put("ref_logps/chosen", pairs.reference.chosen / n);
        put("ref_logps/rejected", pairs.reference.rejected / n);
    }
    values
}
