//! One line of an engine's standard output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One JSON object a line; the `type` key names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// A stage began or ended.
    Stage {
        /// Stage name, such as `tokenize`.
        name: String,
        /// Whether it began or ended.
        state: StageState,
    },
    /// How far the current stage is.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted: `steps`, `rows`, `samples`, `layers`.
        unit: String,
        /// Seconds left, once there is a rate to tell it from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        eta_seconds: Option<f64>,
    },
    /// Values measured at a step, in full floating-point precision.
    Metric {
        /// Optimizer step, from 1.
        step: u64,
        /// Values by their standard names (`loss`, `grad_norm`, `eval/loss`, …). `null` stands for NaN or infinity.
        values: BTreeMap<String, Option<f64>>,
    },
    /// A message for the people who read the task's log.
    Log {
        /// How grave it is.
        level: Level,
        /// The stage it belongs to.
        stage: String,
        /// The text.
        message: String,
    },
    /// A complete checkpoint folder is on disk.
    Checkpoint {
        /// The last step it holds.
        step: u64,
        /// Its folder.
        path: String,
        /// True for the one with the lowest validation loss so far.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        best: bool,
    },
    /// The outcome; printed once, last.
    Result {
        /// The engine's own figures (see each engine's spec module for their names).
        #[serde(flatten)]
        figures: Map<String, Value>,
    },
    /// Why the engine gives up.
    Error {
        /// A stable, machine-readable code such as `invalid_spec` or `corrupt_model`.
        code: String,
        /// The spec field or the file and line at fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// What is wrong and what to do.
        message: String,
        /// Whether the same work may succeed when tried again.
        retryable: bool,
    },
}

/// Whether a stage began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// The stage began.
    Started,
    /// The stage ended.
    Finished,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Detail for finding faults.
    Debug,
    /// What the engine does.
    Info,
    /// Something the user should know, such as truncated rows.
    Warn,
    /// Something went wrong.
    Error,
}
