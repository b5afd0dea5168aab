//! The real service over a real broker, object store and database, with billing scripted: what a client notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod access;
mod bad_input;
mod builtins;
mod document;
mod files;
mod isolation;
mod once;
mod openai;
mod stack;
mod tasks;
