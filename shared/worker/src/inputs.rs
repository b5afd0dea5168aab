//! Fetched input folders, kept by the hash of their manifest.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anneal_artifacts::{MANIFEST, Manifest, ObjectStore, Prefix};
use anneal_contracts::rpc::InputFolder;
use anneal_domain::id::RequestId;

use crate::WorkerError;

/// A folder of fetched folders, of one worker alone. A name that is there is complete: it was renamed into place.
#[derive(Clone, Debug)]
pub(crate) struct InputCache {
    root: PathBuf,
    limit_bytes: u64,
}

impl InputCache {
    pub(crate) fn new(root: PathBuf, limit_bytes: u64) -> Self {
        Self { root, limit_bytes }
    }

    /// Where the folder lies when it is here, whole.
    pub(crate) fn find(&self, input: &InputFolder) -> Option<PathBuf> {
        let path = self.path(input)?;
        if is_whole(&path) {
            return Some(path);
        }
        if path.exists() {
            tracing::warn!(path = %path.display(), "a kept input is damaged: fetching it again");
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "it cannot be removed");
            }
        }
        None
    }

    /// Fetches the folder and keeps it, at the cost of older ones, but of none that its `task` needs too.
    pub(crate) async fn fetch(
        &self,
        store: &ObjectStore,
        input: &InputFolder,
        task: &[InputFolder],
    ) -> Result<PathBuf, WorkerError> {
        let path = self.path(input).ok_or_else(|| {
            WorkerError::Unrunnable(anneal_contracts::event::Failure {
                code: "missing_input".to_owned(),
                field: Some(input.role.clone()),
                message: "the input's manifest hash is not a SHA-256".to_owned(),
            })
        })?;
        let partial = self.root.join(format!("partial-{}", RequestId::new()));
        let prefix = Prefix::parse(&input.prefix).map_err(anneal_artifacts::ArtifactError::from)?;
        let fetched = store.get_folder(&prefix, Some(&input.manifest_sha256), &partial).await;
        if let Err(error) = fetched {
            drop(fs::remove_dir_all(&partial));
            return Err(error.into());
        }
        fs::rename(&partial, &path).map_err(WorkerError::local(&path))?;
        let needed: Vec<PathBuf> = task.iter().filter_map(|input| self.path(input)).collect();
        self.shrink(&needed);
        Ok(path)
    }

    /// Removes what an earlier run of this worker left half-fetched.
    pub(crate) fn clean(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.root)?;
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("partial-") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, input: &InputFolder) -> Option<PathBuf> {
        let hash = &input.manifest_sha256;
        let plain = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| self.root.join(hash))
    }

    /// Removes the folders that were made longest ago until the rest fits; what is needed now stays.
    fn shrink(&self, needed: &[PathBuf]) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        let mut folders: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let made = entry.metadata().ok()?.modified().ok()?;
                Some((made, manifest_of(&entry.path())?.size_bytes(), entry.path()))
            })
            .collect();
        folders.sort();
        let mut total: u64 = folders.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in folders {
            if total <= self.limit_bytes || needed.contains(&path) {
                continue;
            }
            match fs::remove_dir_all(&path) {
                Ok(()) => total -= size,
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a kept input cannot be removed");
                }
            }
        }
    }
}

fn manifest_of(path: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs::read(path.join(MANIFEST)).ok()?).ok()
}

/// Sizes only: the hashes were checked when it was fetched.
fn is_whole(path: &Path) -> bool {
    manifest_of(path).is_some_and(|manifest| {
        manifest
            .files
            .iter()
            .all(|file| fs::metadata(path.join(&file.path)).is_ok_and(|found| found.len() == file.size_bytes))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn put(root: &Path, hash: char, size: usize) -> InputFolder {
        let hash: String = std::iter::repeat_n(hash, 64).collect();
        let folder = root.join(&hash);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a"), vec![0; size]).unwrap();
        let manifest = format!(r#"{{"files":[{{"path":"a","size":{size},"sha256":"00"}}]}}"#);
        fs::write(folder.join(MANIFEST), manifest).unwrap();
        InputFolder { role: "model".to_owned(), prefix: "x".to_owned(), manifest_sha256: hash }
    }

    #[test]
    fn a_full_cache_lets_go_of_what_no_task_needs() {
        let root = tempfile::tempdir().unwrap();
        let cache = InputCache::new(root.path().to_owned(), 10);
        let inputs = ['a', 'b', 'c'].map(|hash| put(root.path(), hash, 8));
        cache.shrink(&[cache.path(&inputs[0]).unwrap(), cache.path(&inputs[2]).unwrap()]);
        assert!(cache.find(&inputs[0]).is_some() && cache.find(&inputs[2]).is_some());
        assert!(cache.find(&inputs[1]).is_none());
    }

    #[test]
    fn a_damaged_folder_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let cache = InputCache::new(root.path().to_owned(), 100);
        let input = put(root.path(), 'a', 8);
        fs::write(cache.path(&input).unwrap().join("a"), "short").unwrap();
        assert!(cache.find(&input).is_none());
        let hostile = InputFolder { manifest_sha256: "../../../etc".to_owned(), ..input };
        assert!(cache.path(&hostile).is_none());
    }
}
