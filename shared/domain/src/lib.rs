//! Ids, money, task specifications with their validation, and the task state machine.
//!
//! Everything here is pure: no I/O, no clock, no randomness beyond making a new id. Every other room may use it;
//! it uses none of them.

pub mod benchmark;
pub mod field_error;
pub mod id;
pub mod money;
pub mod name;
pub mod spec;
pub mod task;

pub use field_error::FieldError;
pub use money::Microcredits;
pub use name::Name;
