//! One file of a snapshot onto the disk: taken up where it broke off, and checked against the hub's own hash.

use std::{io::Read, path::Path};

use reqwest::{
    StatusCode,
    header::{CONTENT_RANGE, RANGE},
};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::{fs::OpenOptions, io::AsyncWriteExt};

use crate::{Hub, HubError, RemoteFile, Snapshot, client::Asked};

/// Times that a download which broke off is taken up again without a byte of progress in between.
const MOST_STALLS: u32 = 5;
/// Digits of an escaped byte.
const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// Bytes that are hashed at once.
const PIECE: usize = 1 << 20;

impl Hub {
    /// Writes a file of a snapshot to `to`, whose folder is there. What lies there already is the beginning of it, left by a
    /// call that was given up. `progress` is told of the bytes as they come.
    ///
    /// # Errors
    /// The hub does not give it, cannot be reached any more, or gives something else than it says.
    pub async fn download(
        &self,
        snapshot: &Snapshot,
        file: &RemoteFile,
        to: &Path,
        mut progress: impl FnMut(u64),
    ) -> Result<(), HubError> {
        let mut stalls = 0;
        loop {
            let before = length(to).await?;
            if before == file.size_bytes && before > 0 {
                break;
            }
            if before > file.size_bytes {
                tokio::fs::remove_file(to).await.map_err(disk(to))?;
                continue;
            }
            match self.take_up(snapshot, file, to, before, &mut progress).await {
                Ok(()) => break,
                Err(error) if error.is_retryable() => {
                    stalls = if length(to).await? > before { 0 } else { stalls + 1 };
                    if stalls >= MOST_STALLS {
                        return Err(error);
                    }
                    tracing::info!(%error, path = file.path, "the download broke off: taking it up again");
                    tokio::time::sleep(std::time::Duration::from_millis(200 << stalls)).await;
                }
                Err(error) => return Err(error),
            }
        }
        let (path, wanted) = (to.to_owned(), file.clone());
        let checked = tokio::task::spawn_blocking(move || check(&path, &wanted)).await;
        let checked = checked.unwrap_or_else(|_| Err(HubError::Unreachable("we are stopping".to_owned())));
        if matches!(checked, Err(HubError::Corrupt { .. })) {
            // The next call begins anew.
            tokio::fs::remove_file(to).await.map_err(disk(to))?;
        }
        checked
    }

    /// The rest of the file after its first `from` bytes.
    async fn take_up(
        &self,
        snapshot: &Snapshot,
        file: &RemoteFile,
        to: &Path,
        from: u64,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), HubError> {
        let Snapshot { kind, repo, commit, .. } = snapshot;
        let path = format!("{}{repo}/resolve/{}/{}", kind.root(), commit.segment(), encoded(&file.path));
        let mut request = self.get(&path);
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let asked = Asked { kind: *kind, repo, revision: commit };
        let mut response = asked.checked(&path, request.send().await?)?;
        let begins = format!("bytes {from}-");
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT
            && response
                .headers()
                .get(CONTENT_RANGE)
                .is_some_and(|range| range.as_bytes().starts_with(begins.as_bytes()));
        // A server that knows no ranges sends the whole again.
        let mut local = OpenOptions::new()
            .create(true)
            .write(true)
            .append(goes_on)
            .truncate(!goes_on)
            .open(to)
            .await
            .map_err(disk(to))?;
        let mut size = if goes_on { from } else { 0 };
        let written = async {
            while let Some(piece) = response.chunk().await? {
                size += piece.len() as u64;
                if size > file.size_bytes {
                    break;
                }
                local.write_all(&piece).await.map_err(disk(to))?;
                progress(piece.len() as u64);
            }
            Ok(())
        };
        let written: Result<(), HubError> = written.await;
        local.flush().await.map_err(disk(to))?;
        written?;
        if size == file.size_bytes {
            return Ok(());
        }
        let (came, named) = (size.to_string(), file.size_bytes.to_string());
        Err(HubError::Corrupt { path: file.path.clone(), what: "size", came, named })
    }
}

async fn length(path: &Path) -> Result<u64, HubError> {
    match tokio::fs::metadata(path).await {
        Ok(about) => Ok(about.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(disk(path)(error)),
    }
}

/// Holds a file against what the hub says of it.
fn check(path: &Path, wanted: &RemoteFile) -> Result<(), HubError> {
    let mut file = std::fs::File::open(path).map_err(disk(path))?;
    let size = file.metadata().map_err(disk(path))?.len();
    let wrong = |what, came: String, named: String| {
        Err(HubError::Corrupt { path: wanted.path.clone(), what, came, named })
    };
    if size != wanted.size_bytes {
        return wrong("size", size.to_string(), wanted.size_bytes.to_string());
    }
    // What git calls a blob: its kind and size, a NUL, and the bytes.
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new_with_prefix(format!("blob {size}\0")));
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(disk(path))?;
        if read == 0 {
            break;
        }
        if wanted.sha256.is_some() {
            sha256.update(&piece[..read]);
        } else {
            git.update(&piece[..read]);
        }
    }
    let (sha256, git) = (hex::encode(sha256.finalize()), hex::encode(git.finalize()));
    match (&wanted.sha256, &wanted.git_sha1) {
        (Some(named), _) if *named != sha256 => wrong("sha256", sha256, named.clone()),
        (None, Some(named)) if *named != git => wrong("git hash", git, named.clone()),
        _ => Ok(()),
    }
}

/// A path with everything escaped that is not plain.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]].map(char::from));
        }
    }
    out
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> HubError + '_ {
    |source| HubError::Disk { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped() {
        assert_eq!(encoded("main/a b+c?.parquet"), "main/a%20b%2Bc%3F.parquet");
        assert_eq!(encoded("é"), "%C3%A9");
    }
}
