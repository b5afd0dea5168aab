//! Stage changes on their way to task-api, in order, each ended stage with its stored log.

use std::sync::Arc;

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_contracts::{engine::StageState, rpc::ReportStage};
use anneal_domain::id::TaskId;
use anneal_runtime::tasks;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{WorkerError, api::Api, stage_log::LogFiles};

/// A stage began, or ended with its log.
#[derive(Debug)]
pub(crate) enum Change {
    Started(String),
    Finished(LogFiles),
}

/// Whose stages.
#[derive(Clone, Debug)]
pub(crate) struct Reporting {
    pub(crate) api: Api,
    pub(crate) store: Arc<ObjectStore>,
    pub(crate) prefix: Prefix,
    pub(crate) task: TaskId,
    pub(crate) epoch: u64,
}

/// The sending side and the task behind it.
#[derive(Debug)]
pub(crate) struct Reports {
    changes: mpsc::UnboundedSender<Change>,
    task: AbortOnDropHandle<Option<Result<(), WorkerError>>>,
}

impl Reports {
    pub(crate) fn start(reporting: Reporting) -> Self {
        let (changes, waiting) = mpsc::unbounded_channel();
        let task = AbortOnDropHandle::new(tasks::spawn("worker.reports", run(reporting, waiting)));
        Self { changes, task }
    }

    pub(crate) fn say(&self, change: Change) {
        // When the task behind has ended, its error is met in `finish`.
        drop(self.changes.send(change));
    }

    /// Waits until everything was said.
    pub(crate) async fn finish(self) -> Result<(), WorkerError> {
        drop(self.changes);
        match self.task.await {
            Ok(Some(result)) => result,
            // It panicked (which is logged) or the process ends: stages are for people, the outcome does not hang on them.
            _ => Ok(()),
        }
    }
}

async fn run(reporting: Reporting, mut waiting: mpsc::UnboundedReceiver<Change>) -> Result<(), WorkerError> {
    let mut seq = 0;
    while let Some(change) = waiting.recv().await {
        seq += 1;
        let (stage, state, log_key) = match change {
            Change::Started(stage) => (stage, StageState::Started, None),
            Change::Finished(files) => {
                let key = store_log(&reporting, &files).await;
                (files.stage, StageState::Finished, key)
            }
        };
        let (task, worker, epoch) = (reporting.task, reporting.api.worker, reporting.epoch);
        let report = ReportStage { task, worker, epoch, seq, stage, state, log_key };
        match reporting.api.report_stage(&report).await {
            Ok(()) => {}
            Err(WorkerError::LeaseLost) => return Err(WorkerError::LeaseLost),
            Err(error) => tracing::warn!(%error, "a stage change was refused"),
        }
    }
    Ok(())
}

/// A log that cannot be stored costs its task nothing; telemetry has it for a day.
async fn store_log(reporting: &Reporting, files: &LogFiles) -> Option<String> {
    let prefix = reporting.prefix.stage_log(reporting.epoch, files.place, &files.stage);
    let stored = async {
        reporting.store.put_file(&prefix.with_ending(".jsonl")?, &files.json_lines).await?;
        reporting.store.put_file(&prefix.with_ending(".log")?, &files.plain).await
    };
    match stored.await {
        Ok(_) => Some(prefix.to_string()),
        Err(error) => {
            tracing::warn!(%error, stage = files.stage, "the stage's log could not be stored");
            None
        }
    }
}
