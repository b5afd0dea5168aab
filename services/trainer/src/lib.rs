//! The training engine, and the thin service around it.
//!
//! [`engine`] is the program `anneal-trainer run SPEC.json`: a spec and local folders in, folders and JSON lines out. It
//! knows no queue, no store and no task.

pub mod engine;
pub mod service;
