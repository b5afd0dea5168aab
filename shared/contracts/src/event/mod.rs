//! Facts about tasks, as stored in the `EVENTS` stream and served over SSE and webhooks.
//!
//! [`TaskEvent`] is the current version; [`AnyTaskEvent`] reads every version that was ever written and upgrades it.

mod checkpoint_committed;
mod stage_changed;
mod task_claimed;
mod task_finished;
mod task_queued;
mod task_requeued;
mod verb_requested;

use serde::{Deserialize, Serialize};

pub use checkpoint_committed::CheckpointCommitted;
pub use stage_changed::StageChanged;
pub use task_claimed::TaskClaimed;
pub use task_finished::{Artifact, Failure, TaskFinished};
pub use task_queued::TaskQueued;
pub use task_requeued::{RequeueReason, TaskRequeued};
pub use verb_requested::VerbRequested;

use anneal_domain::{spec::TaskKind, task::TaskState};

/// A fact about a task; the `event` key names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TaskEvent {
    /// Accepted and waiting for a worker (again after a resume).
    Queued(TaskQueued),
    /// A worker took the lease.
    Claimed(TaskClaimed),
    /// A stage began or ended.
    StageChanged(StageChanged),
    /// A checkpoint became real.
    CheckpointCommitted(CheckpointCommitted),
    /// A person asked for pause, resume, stop or cancel.
    VerbRequested(VerbRequested),
    /// The lease ended without an outcome; another worker will go on.
    Requeued(TaskRequeued),
    /// The task is paused or has ended.
    Finished(Box<TaskFinished>),
}

impl TaskEvent {
    /// `ce-type` of this fact: a finished task is named by what it was and how it ended, such as
    /// `anneal.training.completed.v1`.
    pub fn ce_type(&self) -> &'static str {
        match self {
            Self::Queued(_) => "anneal.task.queued.v1",
            Self::Claimed(_) => "anneal.task.claimed.v1",
            Self::StageChanged(_) => "anneal.task.stage-changed.v1",
            Self::CheckpointCommitted(_) => "anneal.task.checkpoint-committed.v1",
            Self::VerbRequested(_) => "anneal.task.verb-requested.v1",
            Self::Requeued(_) => "anneal.task.requeued.v1",
            Self::Finished(finished) => match (finished.state, finished.kind) {
                (TaskState::Succeeded, TaskKind::Training) => "anneal.training.completed.v1",
                (TaskState::Succeeded, TaskKind::Evaluation) => "anneal.evaluation.completed.v1",
                (TaskState::Succeeded, TaskKind::Compilation) => "anneal.compilation.completed.v1",
                (TaskState::Paused, _) => "anneal.task.paused.v1",
                (TaskState::Stopped, _) => "anneal.task.stopped.v1",
                (TaskState::Cancelled, _) => "anneal.task.cancelled.v1",
                _ => "anneal.task.failed.v1",
            },
        }
    }
}

/// Every version of [`TaskEvent`] ever written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "v")]
pub enum AnyTaskEvent {
    /// The first version.
    #[serde(rename = "1")]
    V1(TaskEvent),
}

impl AnyTaskEvent {
    /// The newest form of this event.
    pub fn upgrade(self) -> TaskEvent {
        match self {
            Self::V1(event) => event,
        }
    }
}

impl From<TaskEvent> for AnyTaskEvent {
    fn from(event: TaskEvent) -> Self {
        Self::V1(event)
    }
}
