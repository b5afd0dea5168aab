//! Lines of a stage's log.

use anneal_domain::id::TaskId;
use serde::{Deserialize, Serialize};

use crate::engine::Level;

/// A batch of log lines, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWritten {
    /// The task.
    pub task: TaskId,
    /// The lease epoch.
    pub epoch: u64,
    /// Place of the first line among the epoch's log lines, from 0.
    pub first_line: u64,
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// One log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The stage it belongs to.
    pub stage: String,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// How grave.
    pub level: Level,
    /// The text.
    pub message: String,
}

impl LogWritten {
    /// `ce-type` of the current version.
    pub const TYPE: &'static str = "anneal.telemetry.log.v1";
}
