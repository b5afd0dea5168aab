//! Keep the lease and report running time.

use anneal_domain::{
    id::{TaskId, WorkerId},
    task::Wanted,
};
use serde::{Deserialize, Serialize};

/// Sent every ten seconds, and once more at the end of the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewLease {
    /// The task.
    pub task: TaskId,
    /// Who holds the lease.
    pub worker: WorkerId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place of this usage report in the epoch, from 1.
    pub seq: u64,
    /// Cumulative milliseconds run under this epoch.
    pub running_ms: i64,
}

/// What the worker should do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewReply {
    /// The wanted state.
    pub wanted: Wanted,
    /// How long the lease lasts from the moment the renewal was sent.
    pub lease_ms: u64,
}
