//! The evaluation engine, and the thin service around it.

pub mod engine;
pub mod service;
