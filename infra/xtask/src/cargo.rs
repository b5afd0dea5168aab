//! Where things are, and how cargo is called.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::child;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("xtask lies two folders below the root").to_owned()
}

/// The folder that cargo builds into, wherever the environment put it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let output = Command::new(program())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("cargo metadata does not start")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    let path = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(path))
}

/// Builds every program in release.
pub(crate) fn build_release() -> Result<()> {
    cargo(&["build", "--release", "--workspace", "--bins", "--locked"])
}

/// Runs cargo and fails with it.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    say(&format!("cargo {}", arguments.join(" ")));
    run(Command::new(program()).args(arguments).current_dir(root()))
}

/// Runs a command and fails with it; it ends when we do.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = child::tied(command).status().with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Says what is done now.
pub(crate) fn say(what: &str) {
    eprintln!("\x1b[1m▸ {what}\x1b[0m");
}

pub(crate) fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
