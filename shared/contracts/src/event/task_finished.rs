//! The task is paused or has ended.

use anneal_domain::{
    id::{CheckpointId, ModelId, TaskId},
    spec::TaskKind,
    task::TaskState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The outcome of a lease, or of a task that no worker held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFinished {
    /// The task.
    pub task: TaskId,
    /// Its kind.
    pub kind: TaskKind,
    /// The lease epoch; 0 when it was never claimed.
    pub epoch: u64,
    /// `paused`, or a terminal state.
    pub state: TaskState,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The engine's figures (its `result` line).
    pub figures: Map<String, Value>,
    /// What was published.
    pub artifacts: Vec<Artifact>,
    /// The model made of it.
    pub model: Option<ModelId>,
    /// The checkpoint a paused task goes on from.
    pub checkpoint: Option<CheckpointId>,
    /// Final running time of the epoch.
    pub running_ms: i64,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable code such as `invalid_spec`.
    pub code: String,
    /// The field, or file and line, at fault.
    pub field: Option<String>,
    /// What happened and what to do.
    pub message: String,
}

/// A published folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its role: `model`, `adapter`, `compiled`, `results`, `tensorboard`, `validation`, `logs`.
    pub role: String,
    /// Object prefix; `manifest.json` below it lists the files.
    pub prefix: String,
    /// SHA-256 of the manifest, hexadecimal.
    pub manifest_sha256: String,
    /// Sum of the files' sizes.
    pub size_bytes: u64,
}
