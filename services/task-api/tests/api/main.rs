//! The real service over a real broker, object store and database, with billing scripted: what a client notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bad_input;
mod files;
mod isolation;
mod stack;
mod tasks;
