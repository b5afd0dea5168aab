//! Everything a task says while it runs: into its stage logs, to the broker, and to task-api.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use anneal_contracts::{
    engine::{Level, StageState},
    telemetry::{LogLine, MetricPoint},
};
use anneal_runtime::clock::SharedClock;
use tokio::sync::oneshot;

use crate::{
    WorkerError,
    reports::{Change, Reports},
    stage_log::StageLog,
    telemetry::{Item, Telemetry},
};

/// The record of one epoch.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: SharedClock,
    folder: PathBuf,
    telemetry: Telemetry,
    reports: Reports,
    open: Vec<StageLog>,
    /// Lines said before the first stage; they open its log.
    early: Vec<LogLine>,
    metrics: BufWriter<File>,
    stages: u64,
}

/// The file of all metric points, below the log folder.
pub(crate) const METRICS: &str = "metrics.jsonl";

impl Recorder {
    /// `folder` is made; the logs lie there until they are stored.
    pub(crate) fn start(
        clock: SharedClock,
        folder: PathBuf,
        telemetry: Telemetry,
        reports: Reports,
    ) -> Result<Self, WorkerError> {
        std::fs::create_dir_all(&folder).map_err(WorkerError::local(&folder))?;
        let path = folder.join(METRICS);
        let metrics = BufWriter::new(File::create(&path).map_err(WorkerError::local(&path))?);
        Ok(Self {
            clock,
            folder,
            telemetry,
            reports,
            open: Vec::new(),
            early: Vec::new(),
            metrics,
            stages: 0,
        })
    }

    pub(crate) fn stage(&mut self, name: &str, state: StageState) -> Result<(), WorkerError> {
        match state {
            StageState::Started => {
                self.stages += 1;
                let log = StageLog::open(&self.folder, self.stages, name)
                    .map_err(WorkerError::local(&self.folder))?;
                self.open.push(log);
                self.reports.say(Change::Started(name.to_owned()));
                for line in std::mem::take(&mut self.early) {
                    self.write(&line)?;
                }
            }
            StageState::Finished => {
                if let Some(place) = self.open.iter().rposition(|log| log.stage() == name) {
                    let log = self.open.remove(place);
                    let files = log.close().map_err(WorkerError::local(&self.folder))?;
                    self.reports.say(Change::Finished(files));
                }
            }
        }
        Ok(())
    }

    /// A line for the people who read the task's log; `stage` is the current one when it is `None`.
    pub(crate) fn log(
        &mut self,
        level: Level,
        stage: Option<&str>,
        message: String,
    ) -> Result<(), WorkerError> {
        let current = || self.open.last().map_or("start", StageLog::stage);
        let stage = stage.unwrap_or_else(current).to_owned();
        let line = LogLine { stage, at_ms: self.clock.unix_ms(), level, message };
        self.write(&line)?;
        self.telemetry.say(Item::Log(line));
        Ok(())
    }

    pub(crate) fn metric(&mut self, point: MetricPoint) -> Result<(), WorkerError> {
        let path = self.folder.join(METRICS);
        serde_json::to_writer(&mut self.metrics, &point)
            .map_err(std::io::Error::other)
            .and_then(|()| self.metrics.write_all(b"\n"))
            .map_err(WorkerError::local(path))?;
        self.telemetry.say(Item::Metric(point));
        Ok(())
    }

    pub(crate) fn progress(&mut self, done: u64, total: u64, unit: String, eta_seconds: Option<f64>) {
        let stage = self.open.last().map_or("start", StageLog::stage).to_owned();
        self.telemetry.say(Item::Progress { stage, done, total, unit, eta_seconds });
    }

    /// Ends once everything said so far has left, or was dropped.
    pub(crate) fn told(&self) -> oneshot::Receiver<()> {
        self.telemetry.told()
    }

    /// Ends the stages that are still open, stores the last logs, sends the last telemetry. Returns the file of all metric
    /// points.
    pub(crate) async fn finish(mut self) -> Result<PathBuf, WorkerError> {
        if !self.early.is_empty() {
            self.stage("start", StageState::Started)?;
        }
        while let Some(name) = self.open.last().map(|log| log.stage().to_owned()) {
            self.stage(&name, StageState::Finished)?;
        }
        let path = self.folder.join(METRICS);
        self.metrics.flush().map_err(WorkerError::local(&path))?;
        let (told, reported) = tokio::join!(self.telemetry.finish(), self.reports.finish());
        let () = told;
        reported.map(|()| path)
    }

    fn write(&mut self, line: &LogLine) -> Result<(), WorkerError> {
        let named = self.open.iter().rposition(|log| log.stage() == line.stage);
        let place = named.or_else(|| self.open.len().checked_sub(1));
        if let Some(place) = place {
            return self.open[place].write(line).map_err(WorkerError::local(&self.folder));
        }
        self.early.push(line.clone());
        Ok(())
    }
}
