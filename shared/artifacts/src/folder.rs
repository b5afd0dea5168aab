//! Whole folders, with their manifest written last and checked first.

use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::{ArtifactError, KeyError, MANIFEST, Manifest, ManifestFile, ObjectStore, Prefix, hash};

/// Files that are stored or fetched at once.
const AT_ONCE: usize = 4;

/// A folder that is real.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Where it is.
    pub prefix: Prefix,
    /// SHA-256 of its manifest, hexadecimal.
    pub manifest_sha256: String,
    /// Sum of its files' sizes.
    pub size_bytes: u64,
    /// How many files it has.
    pub files: usize,
}

impl ObjectStore {
    /// Stores every file below a local folder, then the manifest. Links and special files are refused; a `manifest.json`
    /// at the folder's top gives way to ours.
    pub async fn put_folder(&self, prefix: &Prefix, local: &Path) -> Result<Folder, ArtifactError> {
        let files = walk(local).await?;
        let puts: Vec<_> = files.into_iter().map(|(path, file)| self.put_one(prefix, path, file)).collect();
        let files: Vec<_> = futures::stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await?;
        self.put_manifest(prefix, files).await
    }

    /// Writes the manifest over files that were stored before: from here on the folder is real.
    pub async fn put_manifest(
        &self,
        prefix: &Prefix,
        files: Vec<ManifestFile>,
    ) -> Result<Folder, ArtifactError> {
        let manifest = Manifest::new(files)?;
        for file in &manifest.files {
            file.key(prefix)?;
        }
        let stored = self.put_bytes(&prefix.file(MANIFEST)?, manifest.to_json().into()).await?;
        Ok(Folder {
            prefix: prefix.clone(),
            manifest_sha256: stored.sha256,
            size_bytes: manifest.size_bytes(),
            files: manifest.files.len(),
        })
    }

    /// The manifest of a folder, checked against its SHA-256 where that is known.
    pub async fn manifest(&self, prefix: &Prefix, sha256: Option<&str>) -> Result<Manifest, ArtifactError> {
        let key = prefix.file(MANIFEST)?;
        let bytes = self.get_bytes(&key).await?;
        let got = hash::of_bytes(&bytes).sha256;
        if sha256.is_some_and(|expected| expected != got) {
            return Err(ArtifactError::Corrupt { key, reason: format!("its SHA-256 is {got}") });
        }
        Manifest::parse(&key, &bytes)
    }

    /// Fetches a folder into a local one, which is made; every file is checked, and the manifest lies beside them, last.
    pub async fn get_folder(
        &self,
        prefix: &Prefix,
        manifest_sha256: Option<&str>,
        local: &Path,
    ) -> Result<Manifest, ArtifactError> {
        let manifest = self.manifest(prefix, manifest_sha256).await?;
        tokio::fs::create_dir_all(local).await.map_err(ArtifactError::local(local))?;
        let gets: Vec<_> = manifest.files.iter().map(|file| self.get_one(prefix, file, local)).collect();
        futures::stream::iter(gets).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let path = local.join(MANIFEST);
        tokio::fs::write(&path, manifest.local().to_json()).await.map_err(ArtifactError::local(&path))?;
        Ok(manifest)
    }

    async fn put_one(
        &self,
        prefix: &Prefix,
        path: String,
        file: PathBuf,
    ) -> Result<ManifestFile, ArtifactError> {
        let stored = self.put_file(&prefix.file(&path)?, &file).await?;
        Ok(ManifestFile { path, size_bytes: stored.size_bytes, sha256: stored.sha256, object: None })
    }

    async fn get_one(&self, prefix: &Prefix, file: &ManifestFile, local: &Path) -> Result<(), ArtifactError> {
        let path = local.join(&file.path);
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(ArtifactError::local(parent))?;
        }
        self.get_to_file(&file.key(prefix)?, &file.stored(), &path).await
    }
}

/// Every file below a folder, with its relative path.
async fn walk(root: &Path) -> Result<Vec<(String, PathBuf)>, ArtifactError> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned())];
    while let Some((relative, folder)) = folders.pop() {
        let mut entries = tokio::fs::read_dir(&folder).await.map_err(ArtifactError::local(&folder))?;
        while let Some(entry) = entries.next_entry().await.map_err(ArtifactError::local(&folder))? {
            let path = entry.path();
            let name =
                entry.file_name().into_string().map_err(|name| KeyError::of(&name.to_string_lossy()))?;
            let relative = if relative.is_empty() { name } else { format!("{relative}/{name}") };
            let kind = entry.file_type().await.map_err(ArtifactError::local(&path))?;
            if kind.is_dir() {
                folders.push((relative, path));
            } else if !kind.is_file() {
                return Err(ArtifactError::NotAFile(path));
            } else if relative != MANIFEST {
                files.push((relative, path));
            }
        }
    }
    Ok(files)
}
