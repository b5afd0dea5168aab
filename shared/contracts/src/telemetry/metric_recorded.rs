//! Values measured at steps.

use std::collections::BTreeMap;

use anneal_domain::id::TaskId;
use serde::{Deserialize, Serialize};

/// A batch of metric points, in order of step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRecorded {
    /// The task.
    pub task: TaskId,
    /// The lease epoch.
    pub epoch: u64,
    /// The points; a step said again under a later epoch replaces the earlier one.
    pub points: Vec<MetricPoint>,
}

/// The values of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// Optimizer step, from 1.
    pub step: u64,
    /// Values by name; `null` stands for NaN or infinity.
    pub values: BTreeMap<String, Option<f64>>,
}

impl MetricRecorded {
    /// `ce-type` of the current version.
    pub const TYPE: &'static str = "anneal.telemetry.metric.v1";
}
