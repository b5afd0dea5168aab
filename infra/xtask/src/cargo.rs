//! Where things are, and how cargo is called.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::child;

/// The root of the checkout: the one cargo runs us from, since checkouts that share a target folder share this program too.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).ancestors().nth(2).expect("xtask lies two folders below the root").to_owned()
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
    let mut command = Command::new(program());
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    run(&mut command)
}

/// What cargo tells the program it runs about that program's own package. Build scripts watch these: handed on to another cargo,
/// they would have everything above such a script built anew, as often as xtask and cargo itself are called in turn.
fn describes_a_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_package_is_kept_back() {
        for (name, described) in [
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_INCREMENTAL", false),
            ("PATH", false),
        ] {
            assert_eq!(describes_a_package(OsStr::new(name)), described, "{name}");
        }
    }
}
