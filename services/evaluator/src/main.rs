//! The evaluation engine, and the thin service around it.

fn main() {}
