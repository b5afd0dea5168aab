//! JSON lines on standard output.

use std::io::Write;

use anneal_contracts::engine::{Level, Line, StageState};

/// Where lines go. A reader that went away does not end an evaluation: the lines are lost, the files are not.
pub struct Output {
    writer: Box<dyn Write + Send>,
    stage: String,
    broken: bool,
}

impl Output {
    /// Lines to `writer`, flushed one by one.
    pub fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer, stage: "load".to_owned(), broken: false }
    }

    /// Writes one line.
    ///
    /// # Panics
    /// Never: a line is always JSON.
    pub fn line(&mut self, line: &Line) {
        if self.broken {
            return;
        }
        let mut text = serde_json::to_vec(line).expect("a line is always JSON");
        text.push(b'\n');
        if let Err(error) = self.writer.write_all(&text).and_then(|()| self.writer.flush()) {
            self.broken = true;
            tracing::error!(%error, "nobody reads the lines any more");
        }
    }

    /// Runs `work` as the stage `name`, between its two lines.
    pub fn stage<T, E>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let outer = self.begin(name);
        let result = work(self);
        if result.is_ok() {
            self.end();
        }
        self.stage = outer;
        result
    }

    /// Begins a stage; returns the one before.
    pub(super) fn begin(&mut self, name: &str) -> String {
        self.line(&Line::Stage { name: name.to_owned(), state: StageState::Started });
        std::mem::replace(&mut self.stage, name.to_owned())
    }

    /// Ends the stage that was begun last.
    pub(super) fn end(&mut self) {
        self.line(&Line::Stage { name: self.stage.clone(), state: StageState::Finished });
    }

    /// A message of the current stage.
    pub fn log(&mut self, level: Level, message: impl Into<String>) {
        let line = Line::Log { level, stage: self.stage.clone(), message: message.into() };
        self.line(&line);
    }

    /// How far the current stage is.
    pub fn progress(&mut self, done: u64, total: u64, unit: &str, eta_seconds: Option<f64>) {
        self.line(&Line::Progress { done, total, unit: unit.to_owned(), eta_seconds });
    }
}
