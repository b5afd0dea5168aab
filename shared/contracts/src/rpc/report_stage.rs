//! A stage of the running task began or ended.

use anneal_domain::id::{TaskId, WorkerId};
use serde::{Deserialize, Serialize};

use crate::engine::StageState;

/// Said once per change; a repeated `seq` changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStage {
    /// The task.
    pub task: TaskId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place among the epoch's stage changes, from 1.
    pub seq: u64,
    /// Stage name.
    pub stage: String,
    /// Began or ended.
    pub state: StageState,
    /// Object key of the stage's log without its ending (`.jsonl`, `.log`), once it ended.
    pub log_key: Option<String>,
}
