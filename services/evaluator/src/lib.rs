//! The evaluation engine, the comparison of two evaluations, and the thin service around the engine.

pub mod compare;
pub mod engine;
pub mod service;
