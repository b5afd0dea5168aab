//! How far a running task is.

use anneal_domain::id::TaskId;
use serde::{Deserialize, Serialize};

/// The latest progress; an earlier `seq` of the same epoch is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressReported {
    /// The task.
    pub task: TaskId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place in the epoch.
    pub seq: u64,
    /// The current stage.
    pub stage: String,
    /// Units done in this stage.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What is counted.
    pub unit: String,
    /// Seconds left in this stage, once there is a rate to tell it from.
    pub eta_seconds: Option<f64>,
}

impl ProgressReported {
    /// `ce-type` of the current version.
    pub const TYPE: &'static str = "anneal.telemetry.progress.v1";
}
