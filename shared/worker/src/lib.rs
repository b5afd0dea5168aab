//! What every worker does: claim, renew, run the engine child, stages, progress, logs, usage, checkpoints, stop.
//!
//! A worker holds the lease of one task at a time and runs its engine in a child process, so that nothing an engine does
//! takes the lease-holder down. It deliberately knows nothing of training, evaluating or compiling: that is a
//! [`Workload`], and it has no database: what holds is what task-api committed.

// A session's future is many layers deep.
#![recursion_limit = "256"]

mod api;
mod artifacts;
mod checkpoints;
mod config;
mod ending;
mod engine;
mod error;
mod inputs;
mod keeper;
mod lease;
mod output;
mod recorder;
mod reports;
mod run;
mod serve;
mod session;
mod stage_log;
mod telemetry;
mod worker;
mod workload;

pub use config::WorkerConfig;
pub use error::WorkerError;
pub use lease::Lease;
pub use serve::{ServeError, serve};
pub use worker::Worker;
pub use workload::{Ended, Folders, Program, Publication, Workload, unsupported};
