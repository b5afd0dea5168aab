//! Every command, event, subject and stream, and the engines' contract: typed and versioned. Pure.
//!
//! This crate owns the wire. It deliberately knows no client library and does no I/O.

pub mod engine;
