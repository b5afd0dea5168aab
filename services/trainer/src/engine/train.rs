//! The loop: steps, reports, validation, checkpoints, until the end, early stopping, or the request to stop.

use anneal_contracts::engine::Level;
use anneal_model::Source;
use anneal_runtime::clock::SharedClock;
use serde_json::json;

use super::{
    Error, Output, Result, Stop, checkpoint,
    report::Report,
    session::Session,
    validate::{self, HeldBack},
};

/// What the loop works with besides the session.
pub(crate) struct Loop<'a> {
    pub(crate) clock: SharedClock,
    pub(crate) source: &'a Source,
    pub(crate) output: &'a mut Output,
    pub(crate) report: Report,
    pub(crate) stop: &'a Stop,
    /// The last checkpoint that this run wrote.
    pub(crate) saved: Option<u64>,
}

impl Loop<'_> {
    /// Trains to the end.
    ///
    /// # Errors
    /// [`Error::Stopped`] once a requested stop has its checkpoint; [`Error::Diverged`] once the weights before it have theirs.
    pub(crate) fn run(&mut self, session: &mut Session) -> Result<()> {
        self.report.replay(self.output)?;
        if session.position.step == 0 {
            write_first_batch(session)?;
        }
        // The run before this one was stopped while it validated.
        if session.position.validation_due {
            self.settle(session)?;
        }
        while !session.finished() {
            if self.stop.requested() {
                return Err(self.stopped(session));
            }
            self.step(session)?;
            self.settle(session)?;
        }
        if session.position.step < session.steps() {
            self.output.log(Level::Info, "early stopping: the validation loss falls no more");
        }
        Ok(())
    }

    fn step(&mut self, session: &mut Session) -> Result<()> {
        let began = self.clock.monotonic();
        let outcome = match session.step() {
            Err(Error::Diverged { what, .. }) => return Err(self.diverged(session, what)),
            outcome => outcome?,
        };
        let seconds = self.clock.monotonic().duration_since(began).as_secs_f64();
        session.position.window.add(&outcome, seconds);
        let step = session.position.step;
        if outcome.skipped {
            let scale = session.position.loss_scale.scale();
            self.output.log(
                Level::Warn,
                format!("step {step}: the fp16 gradients overflowed; no update, loss scale now {scale}"),
            );
        }
        if step.is_multiple_of(session.plan.spec.log_interval) || step == session.steps() {
            self.report.train(session, &outcome, self.output)?;
        }
        Ok(())
    }

    /// Does what is due after a step: validation, then a checkpoint, at the spec's interval and wherever validation improved.
    fn settle(&mut self, session: &mut Session) -> Result<()> {
        let improved = session.position.validation_due && self.validate(session)?;
        if improved || session.position.step.is_multiple_of(session.plan.spec.save_interval) {
            self.save(session)?;
            checkpoint::prune(session)?;
        }
        Ok(())
    }

    /// Validates; true where the loss is the lowest so far.
    fn validate(&mut self, session: &mut Session) -> Result<bool> {
        let sums = match validate::evaluate(session, HeldBack::Validation, self.stop) {
            // It stays due, in the checkpoint too.
            Err(Error::Stopped) => return Err(self.stopped(session)),
            sums => sums?,
        };
        session.position.validation_due = false;
        let Some(sums) = sums else { return Ok(false) };
        self.report.validation(session, &sums, self.output)?;
        let (step, loss) = (session.position.step, sums.loss());
        if !loss.is_finite() {
            let newest = self.saved.map(|saved| format!("checkpoint-{saved}"));
            let newest = newest.or_else(|| session.plan.spec.resume_from.clone());
            let kept = match newest {
                Some(newest) => format!("{newest} is the newest checkpoint before it"),
                None => "there is no checkpoint before it".to_owned(),
            };
            return Err(Error::Diverged { step, what: "validation loss", kept });
        }
        let position = &mut session.position;
        let improved = position.best.is_none_or(|(_, best)| loss < best);
        if improved {
            position.best = Some((step, loss));
            position.stale_validations = 0;
        } else {
            position.stale_validations += 1;
        }
        Ok(improved)
    }

    fn save(&mut self, session: &Session) -> Result<()> {
        checkpoint::save(session, self.source, &self.report.history, self.output)?;
        self.saved = Some(session.position.step);
        Ok(())
    }

    /// Saves what there is, unless that is done; nothing is deleted for it.
    fn save_last(&mut self, session: &Session) -> Result<()> {
        let step = session.position.step;
        if step == 0 || self.saved == Some(step) { Ok(()) } else { self.save(session) }
    }

    /// The error of a stop on request, once there is a checkpoint.
    fn stopped(&mut self, session: &Session) -> Error {
        if let Err(error) = self.save_last(session) {
            return error;
        }
        let step = session.position.step;
        self.output.log(Level::Info, format!("stopped on request after step {step}"));
        Error::Stopped
    }

    /// The error of a step that could not be done, once the weights before it are saved.
    fn diverged(&mut self, session: &Session, what: &'static str) -> Error {
        if let Err(error) = self.save_last(session) {
            return error;
        }
        let step = session.position.step;
        let kept = match step {
            0 => "it is the first: look at the data and the model".to_owned(),
            _ => format!("checkpoint-{step} holds the weights before it"),
        };
        Error::Diverged { step: step + 1, what, kept }
    }
}

/// Shows what the first step is computed from: a question about masks is answered by looking.
fn write_first_batch(session: &mut Session) -> Result<()> {
    let work = session.next_work()?;
    let sequences: Vec<_> = work.micros.iter().flat_map(|micro| &micro.sequences).collect();
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
