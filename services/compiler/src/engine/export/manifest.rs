//! `manifest.json`: a folder is complete when it lists every file with its size and SHA-256.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::engine::error::{Error, Result};

#[derive(Serialize)]
struct Manifest {
    files: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    path: String,
    size: u64,
    sha256: String,
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|source| Error::file(path, source))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(source) => return Err(Error::file(path, source)),
        }
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Writes the manifest of `folder`, last; a folder without it is not complete.
pub(crate) fn write_manifest(folder: &Path) -> Result<()> {
    let listing = fs::read_dir(folder).map_err(|source| Error::file(folder, source))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in listing {
        paths.push(entry.map_err(|source| Error::file(folder, source))?.path());
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let size = fs::metadata(path).map_err(|source| Error::file(path, source))?.len();
        files.push(Entry { path: name, size, sha256: sha256(path)? });
    }
    super::folder::write_json(&folder.join("manifest.json"), &Manifest { files })
}
