//! Make an uploaded checkpoint real.

use anneal_domain::id::{CheckpointId, TaskId, WorkerId};
use serde::{Deserialize, Serialize};

/// Sent after the manifest was written; only this makes the checkpoint exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitCheckpoint {
    /// The task.
    pub task: TaskId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// The lease epoch.
    pub epoch: u64,
    /// The checkpoint; committing it twice is committing it once.
    pub checkpoint: CheckpointId,
    /// The last step it holds.
    pub step: u64,
    /// Object prefix, unique to this upload.
    pub prefix: String,
    /// SHA-256 of its `manifest.json`, hexadecimal.
    pub manifest_sha256: String,
    /// Sum of the files' sizes.
    pub size_bytes: u64,
    /// The epoch's running time when it was taken.
    pub running_ms: i64,
    /// True for the one with the lowest validation loss so far.
    pub best: bool,
}
