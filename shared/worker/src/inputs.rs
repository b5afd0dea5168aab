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

    /// Fetches the folder and keeps it.
    pub(crate) async fn fetch(
        &self,
        store: &ObjectStore,
        input: &InputFolder,
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
        self.shrink(&path);
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

    /// Removes the folders that were made longest ago until the rest fits; what was fetched just now stays.
    fn shrink(&self, keep: &Path) {
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
            // A folder of the same task may have been fetched a moment ago: only what exceeds the limit goes.
            if total <= self.limit_bytes || path == keep {
                continue;
            }
            match fs::remove_dir_all(&path) {
                Ok(()) => total -= size,
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a kept input cannot be removed")
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
