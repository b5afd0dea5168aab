//! One claimed task, from its inputs to its finish.
//!
//! Dropping the future of [`Session::run`] (the lease is lost) kills the engine and reports nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anneal_artifacts::{ArtifactError, ObjectStore, Prefix};
use anneal_contracts::{
    engine::{ExitKind, Level, StageState},
    event::{Artifact, Failure, RequeueReason},
    rpc::{ClaimedTask, FinishTask, RejectCheckpoint, ResumePoint},
};
use anneal_domain::task::{TaskState, Wanted};
use anneal_runtime::{CancellationToken, clock::SharedClock, fail};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::{
    Ended, Folders, WorkerConfig, WorkerError, Workload,
    api::Api,
    artifacts,
    checkpoints::{self, Checkpoints, Saving},
    ending::{self, Asked, Attempts, Verdict},
    inputs::InputCache,
    keeper::{Order, Usage},
    recorder::Recorder,
    reports::{Reporting, Reports},
    run::{EngineRun, Run},
    telemetry::{Speaker, Telemetry},
};

/// The engine's word for a checkpoint that it cannot go on from.
const CORRUPT_CHECKPOINT: &str = "corrupt_checkpoint";

/// A task under way and everything it needs.
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) bus: anneal_bus::Bus,
    pub(crate) store: Arc<ObjectStore>,
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) workload: Arc<dyn Workload>,
    pub(crate) clock: SharedClock,
    pub(crate) cache: InputCache,
    pub(crate) task: ClaimedTask,
    pub(crate) usage: Usage,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) shutdown: CancellationToken,
    /// A folder of this epoch's own.
    pub(crate) folder: PathBuf,
}

/// What is said at the finish.
struct Ending {
    outcome: TaskState,
    requeue: Option<RequeueReason>,
    failure: Option<Failure>,
    figures: Map<String, Value>,
    artifacts: Vec<Artifact>,
}

impl Ending {
    fn plain(outcome: TaskState) -> Self {
        Self { outcome, requeue: None, failure: None, figures: Map::new(), artifacts: Vec::new() }
    }
}

impl Session {
    /// Runs the task and finishes it. An error here means that nothing could be reported.
    pub(crate) async fn run(mut self) -> Result<(), WorkerError> {
        let prefix = Prefix::task(self.task.workspace, self.task.task);
        let mut recorder = self.recorder(&prefix)?;
        let ending = match self.carry_out(&prefix, &mut recorder).await {
            Err(WorkerError::LeaseLost) => return Err(WorkerError::LeaseLost),
            Err(error) => {
                tracing::error!(%error, task = %self.task.task, "the task could not be carried through");
                self.ending_of(&error)
            }
            Ok(ending) => ending,
        };
        if let Some(failure) = &ending.failure {
            recorder.log(Level::Error, None, failure.message.clone())?;
        }
        let metrics = recorder.finish().await?;
        let key =
            prefix.file(&format!("log/{}/metrics.jsonl", self.task.epoch)).map_err(ArtifactError::from)?;
        if let Err(error) = self.store.put_file(&key, &metrics).await {
            tracing::warn!(%error, "the metrics could not be stored");
        }
        match self.finish(ending).await {
            // What was to be said can never be taken: the task's owner is told so, instead of doing it all again.
            Err(error @ WorkerError::Request(_)) => {
                tracing::error!(%error, task = %self.task.task, "the finish was refused");
                self.finish(Ending { failure: Some(error.failure()), ..Ending::plain(TaskState::Failed) })
                    .await
            }
            finished => finished,
        }
    }

    fn recorder(&self, prefix: &Prefix) -> Result<Recorder, WorkerError> {
        let (task, epoch) = (self.task.task, self.task.epoch);
        let telemetry = Telemetry::start(Speaker {
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            source: format!("/anneal/worker/{}", self.workload.kind().as_str()),
            workspace: self.task.workspace,
            task,
            epoch,
            trace: self.api.trace,
        });
        let (api, store, prefix) = (self.api.clone(), self.store.clone(), prefix.clone());
        let reports = Reports::start(Reporting { api, store, prefix, task, epoch });
        Recorder::start(self.clock.clone(), self.folder.join("log"), telemetry, reports)
    }

    async fn carry_out(&mut self, prefix: &Prefix, recorder: &mut Recorder) -> Result<Ending, WorkerError> {
        if self.task.spec.kind() != self.workload.kind() {
            return Err(WorkerError::Unrunnable(Failure {
                code: "wrong_kind".to_owned(),
                field: Some("spec.kind".to_owned()),
                message: format!("this worker runs {} tasks only", self.workload.kind().as_str()),
            }));
        }
        let mut orders = self.orders.clone();
        let inputs = tokio::select! {
            biased;
            asked = interruption(&mut orders, &self.shutdown) => return Ok(unstarted(asked)),
            inputs = self.fetch_inputs(recorder) => inputs?,
        };
        let run = self.run_engine(prefix, inputs, recorder).await?;
        let attempts = Attempts { failed: self.task.failed_attempts, most: self.config.max_attempts };
        match ending::judge(&run.end, attempts) {
            Verdict::Publish(outcome) => self.publish(prefix, outcome, run, recorder).await,
            // Paused is what a stored checkpoint goes on from; work that none keeps is done again, and not charged.
            Verdict::Leave(TaskState::Paused)
                if !(run.end.exit == ExitKind::Stopped && run.saved.newest_is_kept) =>
            {
                let text = "no checkpoint was stored at the pause: the work since the last one is done again";
                recorder.log(Level::Warn, None, text.to_owned())?;
                Ok(given_back())
            }
            Verdict::Leave(outcome) => Ok(Ending::plain(outcome)),
            Verdict::Requeue(reason, failure) => {
                Ok(Ending { requeue: Some(reason), failure, ..Ending::plain(TaskState::Queued) })
            }
            Verdict::Fail(failure) => {
                Ok(Ending { failure: Some(failure), ..Ending::plain(TaskState::Failed) })
            }
        }
    }

    async fn fetch_inputs(&self, recorder: &mut Recorder) -> Result<BTreeMap<String, PathBuf>, WorkerError> {
        let mut folders = BTreeMap::new();
        let mut missing = Vec::new();
        for input in &self.task.inputs {
            match self.cache.find(input) {
                Some(path) => drop(folders.insert(input.role.clone(), path)),
                None => missing.push(input),
            }
        }
        if missing.is_empty() {
            return Ok(folders);
        }
        recorder.stage("fetch", StageState::Started)?;
        for (done, input) in missing.iter().enumerate() {
            recorder.progress(done as u64, missing.len() as u64, "folders".to_owned(), None);
            // Two roles may name one folder.
            let path = match self.cache.find(input) {
                Some(path) => path,
                None => self.cache.fetch(&self.store, input, &self.task.inputs).await?,
            };
            recorder.log(Level::Info, None, format!("fetched {}", input.role))?;
            folders.insert(input.role.clone(), path);
        }
        recorder.stage("fetch", StageState::Finished)?;
        Ok(folders)
    }

    /// Runs the engine from the newest checkpoint that can be used: a corrupt one falls back to the one before.
    async fn run_engine(
        &mut self,
        prefix: &Prefix,
        inputs: BTreeMap<String, PathBuf>,
        recorder: &mut Recorder,
    ) -> Result<EngineRun, WorkerError> {
        let mut points = self.task.resume.clone().into_iter();
        loop {
            let resume = self.fetch_checkpoint(&mut points, recorder).await?;
            let (point, resume_from) = resume.unzip();
            let output = self.folder.join("output");
            if output.exists() {
                std::fs::remove_dir_all(&output).map_err(WorkerError::local(&output))?;
            }
            std::fs::create_dir_all(&output).map_err(WorkerError::local(&output))?;
            let threads = self.config.threads;
            let folders = Folders { inputs: inputs.clone(), output, resume_from, threads };
            let run = self.run_once(prefix, &folders, recorder).await?;
            let corrupt =
                run.end.complaint.as_ref().is_some_and(|said| said.failure.code == CORRUPT_CHECKPOINT);
            let Some(point) = point.filter(|_| corrupt) else { return Ok(run) };
            self.reject(&point, "the engine says that it is corrupt", recorder).await?;
        }
    }

    async fn run_once(
        &mut self,
        prefix: &Prefix,
        folders: &Folders,
        recorder: &mut Recorder,
    ) -> Result<EngineRun, WorkerError> {
        let spec = self.workload.engine_spec(&self.task, folders).map_err(WorkerError::Unrunnable)?;
        let path = self.folder.join("spec.json");
        std::fs::write(&path, spec.to_string()).map_err(WorkerError::local(&path))?;
        let saving = Saving {
            api: self.api.clone(),
            store: self.store.clone(),
            prefix: prefix.clone(),
            task: self.task.task,
            epoch: self.task.epoch,
        };
        let checkpoints = Checkpoints::start(saving, self.folder.join("checkpoints"));
        Run {
            program: self.workload.program(),
            spec: &path,
            folder: &self.folder,
            config: &self.config,
            usage: &self.usage,
            orders: self.orders.clone(),
            shutdown: self.shutdown.clone(),
            recorder,
            checkpoints,
            workload: &*self.workload,
            task: &self.task,
        }
        .finish_engine()
        .await
    }

    async fn fetch_checkpoint(
        &self,
        points: &mut std::vec::IntoIter<ResumePoint>,
        recorder: &mut Recorder,
    ) -> Result<Option<(ResumePoint, PathBuf)>, WorkerError> {
        for point in points {
            let folder = self.folder.join(format!("resume-{}", point.step));
            match checkpoints::fetch(&self.store, &point, &folder).await {
                Ok(()) => {
                    recorder.log(Level::Info, None, format!("going on from step {}", point.step))?;
                    return Ok(Some((point, folder)));
                }
                Err(
                    error @ WorkerError::Artifact(ArtifactError::Corrupt { .. } | ArtifactError::NotFound(_)),
                ) => {
                    self.reject(&point, &error.to_string(), recorder).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Goes back one: nobody shall go on from this checkpoint, or take it for a model.
    async fn reject(
        &self,
        point: &ResumePoint,
        reason: &str,
        recorder: &mut Recorder,
    ) -> Result<(), WorkerError> {
        let text = format!("the checkpoint of step {} cannot be used, going back one: {reason}", point.step);
        recorder.log(Level::Warn, None, text)?;
        let reject = RejectCheckpoint {
            task: self.task.task,
            worker: self.api.worker,
            epoch: self.task.epoch,
            checkpoint: point.checkpoint,
            reason: reason.to_owned(),
        };
        if let Err(error) = self.api.reject_checkpoint(&reject).await {
            tracing::warn!(%error, checkpoint = %point.checkpoint, "its rejection was not taken note of");
        }
        Ok(())
    }

    async fn publish(
        &self,
        prefix: &Prefix,
        outcome: TaskState,
        run: EngineRun,
        recorder: &mut Recorder,
    ) -> Result<Ending, WorkerError> {
        let output = self.folder.join("output");
        let ended = Ended {
            figures: &run.figures,
            checkpoint: run.saved.newest.as_deref(),
            stopped: outcome == TaskState::Stopped,
            output: &output,
        };
        let publications = self.workload.publications(&self.task, &ended);
        if publications.is_empty() {
            return Ok(Ending { figures: local_paths_removed(run.figures), ..Ending::plain(outcome) });
        }
        recorder.stage("upload", StageState::Started)?;
        let mut orders = self.orders.clone();
        let published = tokio::select! {
            biased;
            () = cancellation(&mut orders) => return Ok(Ending::plain(TaskState::Cancelled)),
            published = artifacts::publish(&self.store, prefix, self.task.epoch, publications) => published?,
        };
        recorder.stage("upload", StageState::Finished)?;
        let figures = local_paths_removed(run.figures);
        Ok(Ending { figures, artifacts: published, ..Ending::plain(outcome) })
    }

    fn ending_of(&self, error: &WorkerError) -> Ending {
        let attempts = Attempts { failed: self.task.failed_attempts, most: self.config.max_attempts };
        match ending::again_or_fail(error.failure(), error.is_retryable(), attempts) {
            Verdict::Requeue(reason, failure) => {
                Ending { requeue: Some(reason), failure, ..Ending::plain(TaskState::Queued) }
            }
            _ => Ending { failure: Some(error.failure()), ..Ending::plain(TaskState::Failed) },
        }
    }

    async fn finish(&self, ending: Ending) -> Result<(), WorkerError> {
        fail::point("worker.before_finish");
        let (seq, running_ms) = self.usage.report();
        let finish = FinishTask {
            task: self.task.task,
            worker: self.api.worker,
            epoch: self.task.epoch,
            seq,
            running_ms,
            outcome: ending.outcome,
            requeue: ending.requeue,
            failure: ending.failure,
            figures: ending.figures,
            artifacts: ending.artifacts,
        };
        self.api.finish(&finish).await?;
        fail::point("worker.after_finish");
        tracing::info!(task = %self.task.task, outcome = ending.outcome.as_str(), running_ms, "finished");
        Ok(())
    }
}

/// Waits until something other than going on is wanted.
pub(crate) async fn interruption(orders: &mut watch::Receiver<Order>, shutdown: &CancellationToken) -> Asked {
    let changed = orders.wait_for(|order| asked_by(*order) != Asked::Nothing);
    tokio::select! {
        order = changed => order.map_or(Asked::Shutdown, |order| asked_by(*order)),
        () = shutdown.cancelled() => Asked::Shutdown,
    }
}

/// What an order asks of a running engine; a lost lease ends the session from outside.
pub(crate) fn asked_by(order: Order) -> Asked {
    match order {
        Order::Held(Wanted::Run) | Order::Lost => Asked::Nothing,
        Order::Held(Wanted::Pause) => Asked::Pause,
        Order::Held(Wanted::Stop) => Asked::Stop,
        Order::Held(Wanted::Cancel) => Asked::Cancel,
    }
}

async fn cancellation(orders: &mut watch::Receiver<Order>) {
    if orders.wait_for(|order| *order == Order::Held(Wanted::Cancel)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The engine was not started yet.
fn unstarted(asked: Asked) -> Ending {
    match asked {
        Asked::Pause => Ending::plain(TaskState::Paused),
        Asked::Stop => Ending::plain(TaskState::Stopped),
        Asked::Cancel => Ending::plain(TaskState::Cancelled),
        Asked::Shutdown | Asked::Nothing => given_back(),
    }
}

/// The epoch ends without an outcome: what no checkpoint keeps is credited, and what was asked for comes true all the same.
fn given_back() -> Ending {
    Ending { requeue: Some(RequeueReason::WorkerShutdown), ..Ending::plain(TaskState::Queued) }
}

/// Figures without the paths of this machine: they mean nothing elsewhere.
fn local_paths_removed(figures: Map<String, Value>) -> Map<String, Value> {
    figures
        .into_iter()
        .filter(|(_, value)| !value.as_str().is_some_and(|text| Path::new(text).is_absolute()))
        .collect()
}
