//! Every command, event, subject and stream, and the engines' contract: typed and versioned. Pure.
//!
//! This crate owns the wire. It deliberately knows no client library and does no I/O. One file a message; every
//! message that is stored in a stream has an any-version enum with one upgrade to the current version, and frozen goldens
//! in `tests/goldens.rs`: a golden that changes is a broken contract.

pub mod command;
pub mod engine;
mod envelope;
pub mod event;
pub mod rpc;
pub mod stream;
pub mod subject;
pub mod telemetry;
pub mod usage;

pub use envelope::{Envelope, EnvelopeError, Trace, header};
