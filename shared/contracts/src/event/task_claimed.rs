//! A worker took the lease.

use anneal_domain::{
    Microcredits,
    id::{CheckpointId, TaskId, WorkerId},
};
use serde::{Deserialize, Serialize};

/// From here on, only this epoch's effects hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskClaimed {
    /// The task.
    pub task: TaskId,
    /// Who took it.
    pub worker: WorkerId,
    /// The lease epoch, from 1.
    pub epoch: u64,
    /// The rate per hour of the epoch: that of the quote.
    pub rate_per_hour: Microcredits,
    /// The checkpoint it goes on from.
    pub resume_from: Option<CheckpointId>,
}
