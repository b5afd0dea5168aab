//! Where uploads wait while they are checked: a folder of this process alone, gone with it.
//!
//! A killed process leaves its folder behind. Each folder holds a lock that ends with its process, however that ends: whoever
//! starts next to it removes what is no longer locked.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

const NAME: &str = "anneal-uploads-";
const LOCK: &str = "lock";

/// The folder; clones share it, and it is removed with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct WorkFolder(Arc<Held>);

#[derive(Debug)]
struct Held {
    folder: TempDir,
    _lock: File,
}

impl WorkFolder {
    /// Makes a folder of this process under `root`, and removes those of processes that ended.
    pub(crate) fn make(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        for (left, _lock) in abandoned(root)? {
            tracing::info!(path = %left.display(), "removing the uploads of a process that has ended");
            if let Err(error) = fs::remove_dir_all(&left) {
                tracing::warn!(%error, path = %left.display(), "they cannot be removed");
            }
        }
        loop {
            let folder = TempDir::with_prefix_in(NAME, root)?;
            let path = folder.path().join(LOCK);
            let lock = File::create(&path)?;
            lock.lock()?;
            // Another process that starts may have taken it for an abandoned one before it was locked.
            if path.exists() {
                return Ok(Self(Arc::new(Held { folder, _lock: lock })));
            }
        }
    }

    /// A folder for one upload, removed when dropped.
    pub(crate) fn upload(&self) -> io::Result<TempDir> {
        TempDir::with_prefix_in("upload-", self.0.folder.path())
    }
}

/// Folders whose lock nobody held; it is held now.
fn abandoned(root: &Path) -> io::Result<Vec<(PathBuf, File)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(NAME) {
            continue;
        }
        // A folder without its lock is being made just now, or is no upload folder.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => found.push((entry.path(), lock)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_holds_stays() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join(format!("{NAME}left"));
        fs::create_dir_all(left.join("upload-x")).unwrap();
        fs::write(left.join(LOCK), b"").unwrap();
        let living = WorkFolder::make(root.path()).unwrap();
        let upload = living.upload().unwrap();
        assert!(!left.exists());
        let next = WorkFolder::make(root.path()).unwrap();
        assert!(upload.path().exists());
        drop((upload, living, next));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
