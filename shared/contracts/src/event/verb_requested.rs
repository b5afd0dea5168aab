//! A person asked something of a task.

use anneal_domain::{
    id::TaskId,
    task::{TaskState, Verb},
};
use serde::{Deserialize, Serialize};

/// The request was accepted; the worker learns of it at its next renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbRequested {
    /// The task.
    pub task: TaskId,
    /// What was asked.
    pub verb: Verb,
    /// The state that follows at once.
    pub state: TaskState,
    /// Why, such as `balance exhausted`; empty when a person asked.
    pub reason: String,
}
