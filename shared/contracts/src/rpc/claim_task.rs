//! Take the lease of a queued task.

use anneal_domain::{
    Microcredits,
    id::{CheckpointId, RequestId, TaskId, WorkerId, WorkspaceId},
    spec::TaskSpec,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Asked by a worker that fetched a dispatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimTask {
    /// The task.
    pub task: TaskId,
    /// Who asks.
    pub worker: WorkerId,
    /// The same in every retry of one claim: a claim answered twice is one claim.
    pub request: RequestId,
}

/// Whether the claim won.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum ClaimReply {
    /// The lease is the caller's.
    Won(Box<ClaimedTask>),
    /// Nothing to do: the task is not queued (any more). Acknowledge the dispatch and go on.
    NotQueued,
}

/// Everything a worker needs to run the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimedTask {
    /// The task.
    pub task: TaskId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The lease epoch.
    pub epoch: u64,
    /// How long the lease lasts from the moment the claim was sent.
    pub lease_ms: u64,
    /// What to do.
    pub spec: TaskSpec,
    /// Folders to fetch, by role: `model`, `adapter`, `dataset`, `dataset.0`…, `calibration`, `validation`, `answers`,
    /// `training.0`….
    pub inputs: Vec<InputFolder>,
    /// Where to go on from, newest first: a corrupt checkpoint falls back to the next.
    pub resume: Vec<ResumePoint>,
    /// The rate per hour: that of the quote.
    pub rate_per_hour: Microcredits,
    /// Facts the engine spec needs that are not the user's choice (such as a resolved calibration name).
    pub facts: Map<String, Value>,
    /// Attempts so far that ended in an engine failure.
    pub failed_attempts: u32,
    /// W3C trace context of the request that made the task.
    pub traceparent: String,
}

/// A folder of objects with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFolder {
    /// What it is for.
    pub role: String,
    /// Object prefix.
    pub prefix: String,
    /// SHA-256 of its `manifest.json`, hexadecimal.
    pub manifest_sha256: String,
}

/// A committed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePoint {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// The last step it holds.
    pub step: u64,
    /// Object prefix.
    pub prefix: String,
    /// SHA-256 of its `manifest.json`, hexadecimal.
    pub manifest_sha256: String,
}
