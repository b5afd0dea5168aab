//! How long a task has run under one lease epoch.

use anneal_domain::{
    Microcredits,
    id::TaskId,
    spec::{Pool, TaskKind},
};
use serde::{Deserialize, Serialize};

/// A **cumulative** watermark: loss, duplication and reordering of these cannot change a total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReported {
    /// The task.
    pub task: TaskId,
    /// Its kind.
    pub kind: TaskKind,
    /// Its pool.
    pub pool: Pool,
    /// The lease epoch.
    pub epoch: u64,
    /// Place in the epoch.
    pub seq: u64,
    /// Milliseconds run under this epoch so far, already capped by the lease.
    pub running_ms: i64,
    /// The rate per hour: that of the quote.
    pub rate_per_hour: Microcredits,
    /// True for the epoch's last report.
    pub last: bool,
}

impl UsageReported {
    /// `ce-type` of the current version.
    pub const TYPE: &'static str = "anneal.usage.reported.v1";
}
