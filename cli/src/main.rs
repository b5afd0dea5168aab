//! The `anneal` command: a client of the HTTP API, and the local stack.

fn main() {}
