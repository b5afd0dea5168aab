//! `cargo xtask test`: everything the tests need, then every test.

use anyhow::Result;

use crate::{
    cargo::{cargo, say},
    parts, stack,
};

/// Fail points are compiled in for the tests alone.
const FEATURES: &[&str] = &["--workspace", "--locked", "--features", "anneal-runtime/failpoints"];

/// Format, clippy, then every test; the programs are built first because process tests run them.
pub(crate) fn run() -> Result<()> {
    parts::fetch()?;
    cargo(&["fmt", "--all", "--check"])?;
    stack::build_console()?;
    // Pedantic findings are shown; everything that is denied (`[workspace.lints]`) fails.
    cargo(&[&["clippy", "--all-targets"], FEATURES].concat())?;
    cargo(&[&["build", "--bins"], FEATURES].concat())?;
    cargo(&[&["test", "--no-fail-fast"], FEATURES].concat())?;
    say("every test passed");
    Ok(())
}
