//! The real service over a real broker, object store and database, with billing scripted: what a client notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod access;
mod bad_input;
mod builtins;
mod console;
mod datasets;
mod document;
mod evaluations;
mod files;
mod imports;
mod isolation;
mod objects;
mod once;
mod openai;
mod results;
mod stack;
mod tasks;
