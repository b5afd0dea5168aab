//! Ask a running task to pause, for a reason other than a person's wish.

use anneal_domain::id::TaskId;
use serde::{Deserialize, Serialize};

/// Sent by billing when a hold runs out and cannot be extended. Asking again changes nothing; a task that is not running (any
/// more) is answered as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseTask {
    /// The task.
    pub task: TaskId,
    /// Why, for people, such as `balance exhausted`.
    pub reason: String,
}
