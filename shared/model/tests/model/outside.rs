//! Files that lie beside the project on development machines and nowhere else.

use std::path::PathBuf;

fn workspace() -> PathBuf {
    std::path::absolute("../..").unwrap()
}

fn found(path: PathBuf, test: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {test}: no {}", path.display());
    None
}

/// A file of the shared data folder.
pub(crate) fn data(relative: &str, test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ANNEAL_SHARED_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    found(root.join(relative), test)
}

/// A fetched part.
pub(crate) fn part(relative: &str, test: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("ANNEAL_PARTS").map_or_else(|| workspace().join(".local/parts"), PathBuf::from);
    found(root.join(relative), test)
}
