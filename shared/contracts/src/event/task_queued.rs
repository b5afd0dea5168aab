//! A task was accepted.

use anneal_domain::{
    Microcredits,
    id::{HoldId, TaskId},
    spec::{Pool, TaskKind},
};
use serde::{Deserialize, Serialize};

/// The task waits for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskQueued {
    /// The task.
    pub task: TaskId,
    /// Its kind.
    pub kind: TaskKind,
    /// Its pool.
    pub pool: Pool,
    /// Its name.
    pub name: String,
    /// The hold placed at launch; none for a free evaluation.
    pub hold: Option<HoldId>,
    /// The held amount.
    pub held: Microcredits,
}
