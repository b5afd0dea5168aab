//! `up` and `demo`: fetch, build in release, hand over to the programs that do it.

use std::{ffi::OsStr, fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use crate::{
    cargo::{build_release, root, run, say, target_dir},
    parts,
};

/// Starts the local stack and stays.
pub(crate) fn up(rest: &[String]) -> Result<()> {
    prepare()?;
    hand_over("anneal", std::iter::once("up").chain(rest.iter().map(String::as_str)))
}

/// Does the main job through the public API. The report in `folder` says from the first moment on how this run stands.
pub(crate) fn demo(folder: &Path) -> Result<()> {
    let folder = root().join(folder);
    report_failure(&folder, "the demo was not built, and has not begun")?;
    let handed =
        prepare().and_then(|()| hand_over("anneal-demo", [OsStr::new("--folder"), folder.as_os_str()]));
    if let Err(error) = &handed {
        report_failure(&folder, &format!("{error:#}"))?;
    }
    handed
}

/// What `report.json` says until the demo itself writes it.
fn report_failure(folder: &Path, why: &str) -> Result<()> {
    let report = json!({"ok": false, "error": why});
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("report.json"), format!("{report:#}\n")))
        .with_context(|| format!("no report can be written in {}", folder.display()))
}

fn prepare() -> Result<()> {
    parts::fetch()?;
    build_console()?;
    build_release()
}

/// Becomes one of the programs that were built in release; returns only when that fails.
pub(crate) fn hand_over(program: &str, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Result<()> {
    let path = target_dir()?.join("release").join(program);
    let error = Command::new(path).args(arguments).current_dir(root()).exec();
    Err(anyhow!("{program} does not start: {error}"))
}

/// Builds the web console when its sources changed since the last build.
pub(crate) fn build_console() -> Result<()> {
    let console = root().join("services/console");
    let installed = modified(&console.join("node_modules/.package-lock.json"));
    if installed.is_none() || modified(&console.join("package-lock.json")) > installed {
        say("npm ci (web console)");
        npm(&["ci", "--no-audit", "--no-fund"])?;
    }
    if is_stale(&console) {
        say("npm run build (web console)");
        npm(&["run", "--silent", "build"])?;
    }
    Ok(())
}

/// The web console's own tests.
pub(crate) fn test_console() -> Result<()> {
    say("npm test (web console)");
    npm(&["run", "--silent", "test"])
}

fn npm(arguments: &[&str]) -> Result<()> {
    run(Command::new("npm").args(arguments).current_dir(root().join("services/console")))
}

fn is_stale(console: &Path) -> bool {
    const SOURCES: [&str; 6] = [
        "index.html",
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "vite.config.ts",
        "openapi.json",
    ];
    let built = modified(&console.join("dist/index.html"));
    let files = SOURCES.iter().filter_map(|name| modified(&console.join(name))).max();
    let newest = files.max(newest_under(&console.join("src"))).max(newest_under(&console.join("public")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_before_the_demo_replaces_the_report_of_an_earlier_success() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("report.json");
        fs::write(&path, r#"{"ok": true}"#)?;
        report_failure(folder.path(), "no network")?;
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
        assert_eq!(report, json!({"ok": false, "error": "no network"}));
        Ok(())
    }
}
