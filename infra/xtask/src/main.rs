//! The project's own commands: demo, test, up, bench, fetch.

fn main() {}
