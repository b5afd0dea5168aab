//! Finding the third-party parts that tests run against.

use std::path::{Path, PathBuf};

/// The path of a part such as `nats-server`: under `ANNEAL_PARTS`, else under `.local/parts` of the workspace.
///
/// # Panics
/// When it is not there.
pub fn part(name: &str) -> PathBuf {
    let given =
        std::env::vars_os().find(|(key, _)| key == "ANNEAL_PARTS").map(|(_, value)| PathBuf::from(value));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = given.unwrap_or_else(|| workspace.join(".local/parts")).join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask fetch`", path.display());
    path
}
