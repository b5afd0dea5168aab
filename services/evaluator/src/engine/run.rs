//! What the tasks of one evaluation share: its spec, where it writes, and the request to stop.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anneal_contracts::engine::EvaluatorSpec;
use anneal_runtime::clock::{Clock, SystemClock};
use serde_json::{Map, Value};

use super::checkpoint::{Checkpoints, journal_name};
use super::error::{Error, Result};
use super::evaluate::Asked;
use super::leaks::Leaks;
use super::output::Output;
use super::results::Journal;
use super::stop::Stop;
use super::tasks::Task;

/// An evaluation under way.
pub(super) struct Run<'a> {
    /// What is to be done.
    pub spec: &'a EvaluatorSpec,
    /// Where results are written.
    pub folder: PathBuf,
    /// Where lines go.
    pub output: &'a mut Output,
    clock: SystemClock,
    stop: &'a Stop,
    checkpoints: Checkpoints,
    leaks: Option<Leaks>,
    /// Samples of the tasks before the current one.
    before: u64,
}

impl<'a> Run<'a> {
    /// An evaluation that begins, or goes on from its checkpoint.
    pub(super) fn new(spec: &'a EvaluatorSpec, output: &'a mut Output, stop: &'a Stop) -> Result<Self> {
        let leaks = Leaks::new(&spec.leak_check)?;
        let folder = PathBuf::from(&spec.output_dir);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        if let Some(checkpoint) = &spec.resume_from {
            super::checkpoint::restore(Path::new(checkpoint), &folder)?;
        }
        let clock = SystemClock;
        let checkpoints = Checkpoints::new(spec, clock.monotonic());
        Ok(Self { spec, folder, output, clock, stop, checkpoints, leaks, before: 0 })
    }

    /// Now, as intervals are measured.
    pub(super) fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Opens a task's journal. One of another evaluation that came from a checkpoint makes the checkpoint unusable.
    pub(super) fn open_journal(&mut self, task: &str, header: &Map<String, Value>) -> Result<Journal> {
        let path = self.folder.join(journal_name(task));
        let resumes = self.spec.resume || self.spec.resume_from.is_some();
        let journal =
            Journal::open(&path, header, resumes).map_err(|error| match &self.spec.resume_from {
                Some(checkpoint) if matches!(error, Error::OtherEvaluation { .. }) => {
                    Error::Checkpoint { path: checkpoint.into(), message: error.to_string() }
                }
                _ => error,
            })?;
        self.checkpoints.include(&path);
        Ok(journal)
    }

    /// Between two passes of the model: a checkpoint where one is due; at a request to stop, one more and the end.
    pub(super) fn pause(&mut self, journal: &Journal) -> Result<()> {
        let (samples, now) = (self.before + journal.len() as u64, self.now());
        if self.stop.requested() {
            self.checkpoints.save(samples, now, self.output)?;
            return Err(Error::Stopped { done: samples });
        }
        if self.checkpoints.due(now) {
            self.checkpoints.save(samples, now, self.output)?;
        }
        Ok(())
    }

    /// The rows of a task are looked for in the training data, where that is asked for.
    pub(super) fn look_for(&mut self, task: &Task, asked: &[Asked<'_>]) -> Result<()> {
        let Some(leaks) = &mut self.leaks else { return Ok(()) };
        let added = leaks.add(task.name(), asked.iter().map(|row| row.doc), self.output, self.stop);
        added.map_err(|error| self.kept(error))
    }

    /// The end of the leak check; what the results say of it, where there was one.
    pub(super) fn conclude_leaks(&mut self) -> Result<Option<Value>> {
        let Some(leaks) = self.leaks.take() else { return Ok(None) };
        let (folder, stop) = (self.folder.clone(), self.stop);
        let told = self.output.stage("leaks", |output| leaks.conclude(&folder, output, stop));
        told.map(Some).map_err(|error| self.kept(error))
    }

    /// A leak check that is stopped leaves what was scored before it.
    fn kept(&mut self, error: Error) -> Error {
        if !matches!(error, Error::Stopped { .. }) {
            return error;
        }
        let (done, now) = (self.before, self.now());
        self.checkpoints.save(done, now, self.output).err().unwrap_or(Error::Stopped { done })
    }

    /// A task's samples are all in its journal.
    pub(super) fn close_journal(&mut self, journal: &Journal) {
        self.before += journal.len() as u64;
    }
}
