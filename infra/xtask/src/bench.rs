//! `cargo xtask bench <what>`: figures, never assertions.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    cargo::{build_release, root, run},
    parts,
};

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// The idle stack, time to the first engine line, API latency with many tasks, and many clients at once.
    Stack,
}

fn run_program(program: &str, rest: &[String]) -> Result<()> {
    parts::fetch()?;
    let programs = build_release()?;
    run(Command::new(programs.join(program)).args(rest).current_dir(root()))
}

/// Builds in release and runs one benchmark.
pub(crate) fn measure(what: What, rest: &[String]) -> Result<()> {
    match what {
        What::Stack => run_program("anneal-demo", &[&["bench-stack".to_owned()], rest].concat()),
    }
}
