//! What the engine says while it works: one JSON object a line on standard output.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anneal_contracts::engine::{Level, Line, StageState};
use serde_json::{Map, Value};

use super::error::{Error, Result};

/// Progress lines are at least this far apart, except the last of a stage.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Writes lines, remembers the stage, and knows whether a stop was asked for.
pub struct Reporter {
    out: Box<dyn Write + Send>,
    stop: Arc<AtomicBool>,
    stage: String,
    started: Instant,
    last_progress: Option<Instant>,
}

impl Reporter {
    /// Writes to `out`; `stop` is set from outside when the work should end.
    pub fn new(out: Box<dyn Write + Send>, stop: Arc<AtomicBool>) -> Self {
        Self { out, stop, stage: String::new(), started: Instant::now(), last_progress: None }
    }

    /// Writes to standard output.
    pub fn stdout(stop: Arc<AtomicBool>) -> Self {
        Self::new(Box::new(io::stdout()), stop)
    }

    /// Writes one line. A reader that is gone cannot be told anything, so a failed write is not an error of the work:
    /// the worker that ended its side also ends this process.
    pub fn line(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_string(line) {
            text.push('\n');
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }

    /// Fails when a stop was asked for.
    pub(crate) fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Runs `work` as the stage `name`.
    pub(crate) fn stage<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.check_stop()?;
        name.clone_into(&mut self.stage);
        (self.started, self.last_progress) = (Instant::now(), None);
        self.line(&Line::Stage { name: name.to_owned(), state: StageState::Started });
        let done = work(self)?;
        self.line(&Line::Stage { name: name.to_owned(), state: StageState::Finished });
        Ok(done)
    }

    /// Tells how far the stage is; fails when a stop was asked for.
    pub(crate) fn progress(&mut self, done: usize, total: usize, unit: &str) -> Result<()> {
        self.check_stop()?;
        if done < total && self.last_progress.is_some_and(|last| last.elapsed() < PROGRESS_INTERVAL) {
            return Ok(());
        }
        self.last_progress = Some(Instant::now());
        let eta = self.started.elapsed().as_secs_f64() / done.max(1) as f64 * (total - done) as f64;
        self.line(&Line::Progress {
            done: done as u64,
            total: total as u64,
            unit: unit.to_owned(),
            eta_seconds: (done > 0).then_some((eta * 10.0).round() / 10.0),
        });
        Ok(())
    }

    /// A message for the task's log.
    pub(crate) fn log(&mut self, level: Level, message: impl Into<String>) {
        let line = Line::Log { level, stage: self.stage.clone(), message: message.into() };
        self.line(&line);
    }

    /// The outcome; last.
    pub(crate) fn result(&mut self, figures: Map<String, Value>) {
        self.line(&Line::Result { figures });
    }
}
