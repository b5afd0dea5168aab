//! End the lease with an outcome.

use anneal_domain::{
    id::{TaskId, WorkerId},
    task::TaskState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{Artifact, Failure, RequeueReason};

/// The last word of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishTask {
    /// The task.
    pub task: TaskId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place of the final usage report in the epoch.
    pub seq: u64,
    /// Final running time of the epoch.
    pub running_ms: i64,
    /// How it ended: `succeeded`, `failed`, `stopped`, `cancelled`, `paused`; or `queued` to be tried again.
    pub outcome: TaskState,
    /// With `queued`: why.
    pub requeue: Option<RequeueReason>,
    /// With `failed` (and with `queued` after an engine failure): what happened.
    pub failure: Option<Failure>,
    /// The engine's figures.
    pub figures: Map<String, Value>,
    /// What was published.
    pub artifacts: Vec<Artifact>,
}
