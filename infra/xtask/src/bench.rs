//! `cargo xtask bench <what>`: figures, never assertions.

use anyhow::Result;
use clap::ValueEnum;

use crate::{cargo::build_release, parts, stack::hand_over};

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// The idle stack, time to the first engine line, API latency with many tasks, and many clients at once.
    Stack,
}

/// Builds in release and runs one benchmark.
pub(crate) fn measure(what: What, rest: &[String]) -> Result<()> {
    parts::fetch()?;
    build_release()?;
    match what {
        What::Stack => {
            hand_over("anneal-demo", std::iter::once("bench-stack").chain(rest.iter().map(String::as_str)))
        }
    }
}
