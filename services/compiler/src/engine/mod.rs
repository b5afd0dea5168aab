//! The compilation engine: `anneal-compiler run SPEC.json`.
//!
//! A model in; quantised, written as ONNX, held against its source in ONNX Runtime, and published or refused.
//! It knows no task, no queue and no storage: a spec file and local paths in, folders and JSON lines out.

mod error;
mod export;
mod graph;
mod input;
mod job;
mod onnx;
mod quantize;
mod reporter;
mod run;
mod stages;
mod stop;
mod text;
mod validate;
mod weights;

pub use error::{Error, Result};
pub use job::Job;
pub use reporter::Reporter;
pub use run::{run, run_spec};
pub use stop::stop_flag;
