//! `manifest.json`: what makes a folder real.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{ArtifactError, Key, KeyError, Prefix, Stored, key};

/// Name of the manifest below its folder.
pub const MANIFEST: &str = "manifest.json";

/// Every file of a folder, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files; the manifest itself is not among them.
    pub files: Vec<ManifestFile>,
}

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path relative to the folder, with `/`.
    pub path: String,
    /// Its size.
    #[serde(rename = "size")]
    pub size_bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Where its object lies when that is not below the folder at `path`: another place of the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Key>,
}

impl ManifestFile {
    /// The key of its object, for the folder it is listed in. An object of another thing is refused: a manifest never leads
    /// out of `<workspace>/<kind>/<id>`.
    pub fn key(&self, folder: &Prefix) -> Result<Key, KeyError> {
        match &self.object {
            None => folder.file(&self.path),
            Some(key) if key.thing() == folder.thing() => Ok(key.clone()),
            Some(key) => Err(KeyError::of(key.as_str())),
        }
    }

    /// What its object must be.
    pub fn stored(&self) -> Stored {
        Stored { size_bytes: self.size_bytes, sha256: self.sha256.clone() }
    }
}

impl Manifest {
    /// Sorts the files. Paths that leave the folder, that come twice, or that are the manifest's own are refused.
    pub fn new(mut files: Vec<ManifestFile>) -> Result<Self, KeyError> {
        files.sort();
        let manifest = Self { files };
        manifest.check()?;
        Ok(manifest)
    }

    /// Sum of the files' sizes.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).fold(0, u64::saturating_add)
    }

    /// The same folder as it lies on a disk: every file at its path.
    pub(crate) fn local(&self) -> Self {
        let files = self.files.iter().map(|file| ManifestFile { object: None, ..file.clone() });
        Self { files: files.collect() }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a manifest of plain text and numbers is always JSON")
    }

    pub(crate) fn parse(key: &Key, bytes: &[u8]) -> Result<Self, ArtifactError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| ArtifactError::Corrupt { key: key.clone(), reason: error.to_string() })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), KeyError> {
        let mut seen = BTreeSet::new();
        for file in &self.files {
            key::check(&file.path)?;
            if file.path == MANIFEST || !seen.insert(file.path.as_str()) {
                return Err(KeyError::of(&file.path));
            }
        }
        // A file cannot be the folder of another one.
        for file in &self.files {
            let mut parent = file.path.as_str();
            while let Some((above, _)) = parent.rsplit_once('/') {
                if seen.contains(above) {
                    return Err(KeyError::of(&file.path));
                }
                parent = above;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn file(path: &str) -> ManifestFile {
        ManifestFile { path: path.to_owned(), size_bytes: 1, sha256: "00".to_owned(), object: None }
    }

    #[test]
    fn hostile_manifests_are_refused() {
        for paths in [
            &["../../etc/passwd"][..],
            &["/etc/passwd"],
            &["a/../../b"],
            &["a", "a"],
            &["a", "a/b"],
            &["manifest.json"],
            &["a\\..\\b"],
        ] {
            let files = paths.iter().map(|path| file(path)).collect();
            assert!(Manifest::new(files).is_err(), "{paths:?} was accepted");
        }
        let manifest = Manifest::new(vec![file("b/c"), file("a")]).unwrap();
        let key = Key::try_from("x/manifest.json".to_owned()).unwrap();
        assert_eq!(Manifest::parse(&key, &manifest.to_json()).unwrap(), manifest);
        assert_eq!(manifest.size_bytes(), 2);
    }
}
