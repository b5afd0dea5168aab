//! Every command, event, subject and stream, and the engines' contract: typed and versioned. Pure.
//!
//! This crate owns the wire. It deliberately knows no client library and does no I/O. One file a message. Facts, which are
//! kept longest and read by strangers, have an any-version enum with one upgrade to the current version
//! ([`event::AnyTaskEvent`]); commands, usage and telemetry say their version in their `ce-type` and get such an enum with
//! their second version. Every stored message has a frozen golden in `tests/goldens.rs`: one that changes is a broken
//! contract.

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
