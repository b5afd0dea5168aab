//! What people ask of a task, and what its worker is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person may ask of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Write a checkpoint and give the machine back; resumable.
    Pause,
    /// Queue a paused task again.
    Resume,
    /// End now and keep a usable model of what was done.
    Stop,
    /// End now and discard.
    Cancel,
}

/// What the worker that holds the lease should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Go on.
    #[default]
    Run,
    /// Checkpoint, then let go.
    Pause,
    /// Checkpoint, publish what is there, and finish as stopped.
    Stop,
    /// Kill the engine and let go.
    Cancel,
}
