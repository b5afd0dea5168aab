//! SHA-256 and size of what is stored.

use std::{fs::File, io::Read, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ArtifactError;

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// A running hash and count.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    sha256: Sha256,
    size_bytes: u64,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Stored {
        Stored { size_bytes: self.size_bytes, sha256: hex::encode(self.sha256.finalize()) }
    }
}

pub(crate) fn of_bytes(bytes: &[u8]) -> Stored {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

/// Size and SHA-256 of a local file, read once on a blocking thread.
pub async fn sha256_of_file(path: &Path) -> Result<Stored, ArtifactError> {
    let owned = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&owned)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0_u8; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                count => hasher.update(&buffer[..count]),
            }
        }
    });
    hashed.await.map_err(std::io::Error::other).and_then(|read| read).map_err(ArtifactError::local(path))
}
