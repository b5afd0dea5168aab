//! The life of a task as a pure state machine.

mod state;
mod verb;

pub use state::{TaskState, TransitionError};
pub use verb::{Verb, Wanted};
