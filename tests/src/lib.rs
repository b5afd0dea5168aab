//! What journeys and fault tests share: the real processes under a test's control, a client, and small inputs.
//!
//! The programs must be built beforehand (`cargo build --workspace --bins --features anneal-runtime/failpoints`, which
//! `cargo xtask test` does); a missing one fails the test and says so.

#![allow(clippy::missing_panics_doc, reason = "a panic of the harness is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod bench;
pub mod client;
pub mod inputs;
pub mod platform;
mod process;

pub use client::Client;
pub use platform::Platform;
