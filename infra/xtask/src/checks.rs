//! `cargo xtask test`: everything the tests need, then every test. `cargo xtask sanitize`: the unsafe code under a sanitizer.

use std::process::Command;

use anyhow::Result;

use crate::{
    cargo::{self, cargo, say},
    parts, stack,
};

/// Fail points are compiled in for the tests alone.
const FEATURES: &[&str] = &["--workspace", "--locked", "--features", "anneal-runtime/failpoints"];

/// Format, the console's tests, clippy, then every test; the programs are built first because process tests run them.
pub(crate) fn run() -> Result<()> {
    parts::fetch()?;
    cargo(&["fmt", "--all", "--check"])?;
    stack::build_console()?;
    stack::test_console()?;
    // Pedantic findings are shown; everything that is denied (`[workspace.lints]`) fails.
    cargo(&[&["clippy", "--all-targets"], FEATURES].concat())?;
    cargo(&[&["build", "--bins"], FEATURES].concat())?;
    cargo(&[&["test", "--no-fail-fast"], FEATURES].concat())?;
    say("every test passed");
    Ok(())
}

/// The tests of the kernels, the only room with unsafe code, with every access to memory checked by the address sanitizer. It has a
/// target folder of its own: the dependencies are built anew.
pub(crate) fn sanitize() -> Result<()> {
    let target = cargo::target_dir()?.join("sanitize");
    say("the kernels' tests under the address sanitizer");
    // A target of its own keeps build scripts and macros out of it; the compiler's switch is not stable yet.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    cargo::run(
        Command::new(cargo::program())
            .args(["test", "--locked", "--package", "anneal-kernels", "--target", &triple])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CARGO_TARGET_DIR", target)
            .current_dir(cargo::root()),
    )
}
