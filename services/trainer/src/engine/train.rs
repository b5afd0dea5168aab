//! The loop: steps, reports, validation, checkpoints, until the end, early stopping, or the request to stop.

use anneal_contracts::engine::Level;
use anneal_model::Source;
use serde_json::json;

use super::{
    Error, Output, Result, Stop, checkpoint,
    report::Report,
    session::Session,
    validate::{self, HeldBack},
};

/// What the loop works with besides the session.
pub(crate) struct Loop<'a> {
    pub(crate) source: &'a Source,
    pub(crate) output: &'a mut Output,
    pub(crate) report: Report,
    pub(crate) stop: &'a Stop,
    /// The last checkpoint on disk.
    pub(crate) saved: Option<u64>,
}

impl Loop<'_> {
    /// Trains to the end.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a requested stop has its checkpoint.
    pub(crate) fn run(&mut self, session: &mut Session) -> Result<()> {
        if session.position.step == 0 {
            write_first_batch(session)?;
        }
        while session.position.step < session.steps() {
            if self.stop.requested() {
                return self.stopped(session);
            }
            self.step(session)?;
            if self.validated_and_stale(session)? {
                self.output.log(Level::Info, "early stopping: the validation loss falls no more");
                break;
            }
            if session.position.step.is_multiple_of(session.plan.spec.save_interval) {
                self.save(session)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, session: &mut Session) -> Result<()> {
        let outcome = session.step().map_err(|error| match error {
            Error::Diverged { step, what, .. } => {
                let hint = self
                    .saved
                    .map_or_else(String::new, |saved| format!("; checkpoint-{saved} is the last good one"));
                Error::Diverged { step, what, hint }
            }
            other => other,
        })?;
        let step = session.position.step;
        if outcome.skipped {
            let scale = session.position.loss_scale.scale();
            self.output.log(
                Level::Warn,
                format!("step {step}: the fp16 gradients overflowed; no update, loss scale now {scale}"),
            );
        }
        self.report.add(&outcome);
        if step.is_multiple_of(session.plan.spec.log_interval) || step == session.steps() {
            self.report.train(session, &outcome, self.output)?;
        }
        Ok(())
    }

    /// Validates where it is due; true where training should end early.
    fn validated_and_stale(&mut self, session: &mut Session) -> Result<bool> {
        let (step, spec) = (session.position.step, &session.plan.spec);
        let due = spec.eval_interval.is_some_and(|interval| step.is_multiple_of(interval))
            || step.is_multiple_of(spec.save_interval)
            || step == session.steps();
        let patience = spec.early_stopping_patience;
        if !due {
            return Ok(false);
        }
        let Some(sums) = validate::evaluate(session, HeldBack::Validation)? else { return Ok(false) };
        let loss = sums.loss();
        if session.position.best.is_none_or(|(_, best)| loss < best) {
            session.position.best = Some((step, loss));
            session.position.stale_validations = 0;
        } else {
            session.position.stale_validations += 1;
        }
        self.report.validation(session, &sums, self.output)?;
        Ok(patience.is_some_and(|patience| session.position.stale_validations >= patience))
    }

    fn save(&mut self, session: &Session) -> Result<()> {
        checkpoint::save(session, self.source, &self.report.history, self.output)?;
        self.saved = Some(session.position.step);
        Ok(())
    }

    fn stopped(&mut self, session: &Session) -> Result<()> {
        let step = session.position.step;
        if step > 0 && self.saved != Some(step) {
            self.save(session)?;
        }
        self.output.log(Level::Info, format!("stopped on request after step {step}"));
        Err(Error::Stopped)
    }
}

/// Shows what the first step is computed from: a question about masks is answered by looking.
fn write_first_batch(session: &mut Session) -> Result<()> {
    let (micros, _) = session.next_micros()?;
    let sequences: Vec<_> = micros.iter().flat_map(|micro| &micro.sequences).collect();
    let ids: Vec<Vec<&Vec<u32>>> =
        sequences.iter().map(|item| item.iter().map(|part| &part.ids).collect()).collect();
    let loss: Vec<Vec<Vec<u8>>> = sequences
        .iter()
        .map(|item| item.iter().map(|part| part.loss.iter().map(|&loss| u8::from(loss)).collect()).collect())
        .collect();
    let path = session.plan.output_dir.join("first_batch.json");
    let text = json!({"input_ids": ids, "loss_mask": loss}).to_string();
    std::fs::write(&path, text).map_err(|error| Error::io(&path, error))
}
