//! The training engine, and the thin service around it.

fn main() {}
