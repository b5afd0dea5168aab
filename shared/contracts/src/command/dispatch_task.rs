//! A queued task waits for a worker of this kind and pool.

use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
};
use serde::{Deserialize, Serialize};

/// An invitation to claim a task; it may be sent more than once, and only the claim decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchTask {
    /// The task.
    pub task: TaskId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its kind.
    pub kind: TaskKind,
    /// Its pool.
    pub pool: Pool,
}

impl DispatchTask {
    /// `ce-type` of the current version.
    pub const TYPE: &'static str = "anneal.task.dispatch.v1";
}
