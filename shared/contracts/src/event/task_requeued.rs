//! A lease ended without an outcome.

use anneal_domain::{id::TaskId, task::TaskState};
use serde::{Deserialize, Serialize};

/// Another worker will go on from the last committed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRequeued {
    /// The task.
    pub task: TaskId,
    /// The epoch that ended.
    pub epoch: u64,
    /// Why.
    pub reason: RequeueReason,
    /// The state it is in now (`queued`, or what was asked for meanwhile).
    pub state: TaskState,
    /// Running time of the ended epoch that a checkpoint keeps.
    pub kept_ms: i64,
    /// Running time of the ended epoch that was charged (last stored watermark).
    pub charged_ms: i64,
}

/// Why a lease ended without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequeueReason {
    /// No renewal in time.
    LeaseExpired,
    /// The engine died or failed in a way worth another try.
    EngineFailed,
    /// The worker was told to shut down.
    WorkerShutdown,
}
