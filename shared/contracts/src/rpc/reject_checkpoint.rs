//! Say that a committed checkpoint cannot be gone on from.

use anneal_domain::id::{CheckpointId, TaskId, WorkerId};
use serde::{Deserialize, Serialize};

/// Sent when a stored checkpoint is missing or damaged: from here on it is the last that anyone tries, and never a model.
/// Rejecting it twice is rejecting it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectCheckpoint {
    /// The task.
    pub task: TaskId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// The lease epoch.
    pub epoch: u64,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// What is wrong with it, for people.
    pub reason: String,
}
