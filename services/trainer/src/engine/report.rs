//! Metrics of steps and validations, under their standard names, to the lines, to TensorBoard and to the history.

use std::{collections::BTreeMap, path::Path};

use anneal_contracts::engine::Line;
use anneal_runtime::clock::SharedClock;
use serde_json::{Map, Value, json};

use super::{
    Output, Result,
    events::EventFile,
    session::{Session, StepOutcome, Sums},
};

/// Values by name.
type Values = BTreeMap<String, f64>;

/// Collects steps until they are reported.
pub(crate) struct Report {
    clock: SharedClock,
    events: EventFile,
    /// transformers' `log_history`.
    pub(crate) history: Vec<Value>,
    window: Window,
    started: std::time::Instant,
    first_step: u64,
}

/// The steps since the last line.
struct Window {
    sums: Sums,
    losses: f64,
    steps: u64,
    tokens: u64,
    trained_tokens: u64,
    since: std::time::Instant,
}

impl Window {
    fn new(since: std::time::Instant) -> Self {
        Self { sums: Sums::default(), losses: 0.0, steps: 0, tokens: 0, trained_tokens: 0, since }
    }
}

impl Report {
    /// A report that goes on after `step` steps with the history so far.
    pub(crate) fn new(folder: &Path, clock: SharedClock, step: u64, history: Vec<Value>) -> Result<Self> {
        let events = EventFile::create(folder, std::sync::Arc::clone(&clock), step)?;
        let now = clock.monotonic();
        Ok(Self { clock, events, history, window: Window::new(now), started: now, first_step: step })
    }

    /// Takes note of a step.
    pub(crate) fn add(&mut self, outcome: &StepOutcome) {
        self.window.sums.add(outcome.sums);
        self.window.losses += outcome.sums.loss();
        self.window.steps += 1;
        self.window.tokens += outcome.tokens;
        self.window.trained_tokens += outcome.trained_tokens;
    }

    /// Reports the steps since the last report; `outcome` is the last of them.
    pub(crate) fn train(
        &mut self,
        session: &Session,
        outcome: &StepOutcome,
        output: &mut Output,
    ) -> Result<()> {
        let now = self.clock.monotonic();
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let seconds = now.duration_since(window.since).as_secs_f64();
        let mut values = of_sums(&window.sums);
        let mut put = |name: &str, value: f64| values.insert(name.to_owned(), value);
        put("loss", window.losses / window.steps.max(1) as f64);
        put("grad_norm", outcome.grad_norm);
        put("learning_rate", outcome.learning_rate);
        put("epoch", session.epoch());
        put("num_tokens", session.position.tokens as f64);
        put("tokens", window.tokens as f64);
        put("trained_tokens", window.trained_tokens as f64);
        put("tokens_per_second", window.tokens as f64 / seconds.max(1e-9));
        put("step_seconds", seconds / window.steps.max(1) as f64);
        if let Ok(bytes) = anneal_runtime::memory::peak_rss_bytes() {
            put("peak_rss_bytes", bytes as f64);
        }
        if session.position.loss_scale.scale() > 1.0 {
            put("loss_scale", session.position.loss_scale.scale());
        }
        self.write("train", session, &values, output)?;
        let done = session.position.step;
        let per_step =
            now.duration_since(self.started).as_secs_f64() / (done - self.first_step).max(1) as f64;
        output.progress(done, session.steps(), "steps", Some(per_step * (session.steps() - done) as f64));
        Ok(())
    }

    /// Reports a validation.
    pub(crate) fn validation(&mut self, session: &Session, sums: &Sums, output: &mut Output) -> Result<()> {
        let mut values = of_sums(sums);
        values.insert("loss".to_owned(), sums.loss());
        let values = values.into_iter().map(|(name, value)| (format!("eval/{name}"), value)).collect();
        // Time spent here is not the training's.
        let result = self.write("eval", session, &values, output);
        self.window.since = self.clock.monotonic();
        result
    }

    fn write(&mut self, part: &str, session: &Session, values: &Values, output: &mut Output) -> Result<()> {
        let step = session.position.step;
        let scalars = values.iter().map(|(name, &value)| {
            let name = name.strip_prefix("eval/").unwrap_or(name);
            (format!("{part}/{name}"), value as f32)
        });
        self.events.scalars(step, scalars)?;
        let mut entry = Map::new();
        for (name, &value) in values {
            entry.insert(name.replace("eval/", "eval_"), json!(value));
        }
        entry.insert("epoch".to_owned(), json!(session.epoch()));
        entry.insert("step".to_owned(), json!(step));
        self.history.push(Value::Object(entry));
        let finite = |(name, value): (&String, &f64)| (name.clone(), Some(*value).filter(|v| v.is_finite()));
        output.line(&Line::Metric { step, values: values.iter().map(finite).collect() });
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
