//! A checkpoint became real.

use anneal_domain::id::{CheckpointId, TaskId};
use serde::{Deserialize, Serialize};

/// A crash from here on costs nothing before this step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointCommitted {
    /// The task.
    pub task: TaskId,
    /// The lease epoch.
    pub epoch: u64,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// The last step it holds.
    pub step: u64,
    /// The epoch's running time when it was taken: work after it is credited back if it has to be done again.
    pub running_ms: i64,
}
