//! `cargo xtask bench <what>`: figures, never assertions.

mod eval;
mod pairs;
mod peak;
mod train;

use anyhow::Result;
use clap::ValueEnum;

use crate::{cargo::build_release, parts, stack::hand_over};

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// The idle stack, time to the first engine line, API latency with many tasks, and many clients at once.
    Stack,
    /// The evaluation engine and its peer, in turn, on the same samples.
    Eval,
    /// The training engine and its peer, in turn, on the same rows.
    Train,
}

/// Builds what it needs in release and runs one benchmark.
pub(crate) fn measure(what: What, rest: &[String]) -> Result<()> {
    match what {
        What::Stack => {
            parts::fetch()?;
            build_release()?;
            hand_over("anneal-demo", std::iter::once("bench-stack").chain(rest.iter().map(String::as_str)))
        }
        What::Eval => eval::run(rest),
        What::Train => train::run(rest),
    }
}
