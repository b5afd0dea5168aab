//! Finding the third-party parts that tests run against.

use std::path::{Path, PathBuf};

/// The path of a part such as `nats-server`: under `ANNEAL_PARTS`, else under `.local/parts` of the workspace that the test runs in.
///
/// # Panics
/// When it is not there.
pub fn part(name: &str) -> PathBuf {
    let given =
        std::env::vars_os().find(|(key, _)| key == "ANNEAL_PARTS").map(|(_, value)| PathBuf::from(value));
    let path = given.unwrap_or_else(|| workspace().join(".local/parts")).join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask fetch`", path.display());
    path
}

/// Cargo runs a test in its package's folder. Where this was compiled says nothing: checkouts may share a target folder.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().expect("a test has a working folder");
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.unwrap_or(Path::new(".")).to_owned()
}
