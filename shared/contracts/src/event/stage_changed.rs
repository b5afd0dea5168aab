//! A stage began or ended.

use anneal_domain::id::TaskId;
use serde::{Deserialize, Serialize};

use crate::engine::StageState;

/// A stage of the running task began or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageChanged {
    /// The task.
    pub task: TaskId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place in the epoch.
    pub seq: u64,
    /// Stage name.
    pub stage: String,
    /// Began or ended.
    pub state: StageState,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
}
