//! Commands: what is asked of workers.

mod dispatch_task;

pub use dispatch_task::DispatchTask;
