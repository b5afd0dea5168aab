//! `up` and `demo`: fetch, build in release, hand over to the programs that do it.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Result, anyhow};

use crate::{
    cargo::{build_release, root, run, say},
    parts,
};

/// Starts the local stack and stays.
pub(crate) fn up(rest: &[String]) -> Result<()> {
    hand_over("anneal", &["up"], rest)
}

/// Does the main job through the public API.
pub(crate) fn demo(rest: &[String]) -> Result<()> {
    hand_over("anneal-demo", &[], rest)
}

fn hand_over(program: &str, first: &[&str], rest: &[String]) -> Result<()> {
    parts::fetch()?;
    build_console()?;
    let programs = build_release()?;
    let error = Command::new(programs.join(program)).args(first).args(rest).current_dir(root()).exec();
    Err(anyhow!("{program} does not start: {error}"))
}

/// Builds the web console when its sources changed since the last build.
pub(crate) fn build_console() -> Result<()> {
    let console = root().join("services/console");
    if !console.join("package.json").exists() {
        return Ok(());
    }
    if !console.join("node_modules").exists() {
        say("npm ci (web console)");
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&console))?;
    }
    if is_stale(&console) {
        say("npm run build (web console)");
        run(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&console))?;
    }
    Ok(())
}

fn is_stale(console: &Path) -> bool {
    let built = modified(&console.join("dist/index.html"));
    let newest = newest_under(&console.join("src")).max(modified(&console.join("package-lock.json")));
    built.is_none() || newest > built
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn newest_under(folder: &Path) -> Option<std::time::SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            if path.is_dir() { newest_under(&path) } else { modified(&path) }
        })
        .max()
}
