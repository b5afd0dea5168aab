//! One object as one file: where it lies, and what is said of it.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use futures::StreamExt;
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{ETag, StreamingBlob, Timestamp},
    s3_error,
};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use uuid::Uuid;

/// A key's file below its bucket. A key that would leave the bucket, or that no file can be named by, is refused.
pub(crate) fn path_of(bucket: &Path, key: &str) -> S3Result<PathBuf> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains('\0');
    if key.split('/').all(plain) {
        Ok(bucket.join(key))
    } else {
        Err(s3_error!(InvalidArgument, "this server stores keys that are relative paths of plain names"))
    }
}

/// Objects never change in place, so size, time and inode tell one from the next. It is no MD5, as S3 allows.
pub(crate) fn etag(metadata: &Metadata) -> ETag {
    ETag::Strong(format!(
        "{:x}.{:x}.{:x}.{:x}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ino()
    ))
}

pub(crate) fn modified(metadata: &Metadata) -> S3Result<Timestamp> {
    metadata.modified().map(Timestamp::from).map_err(failed)
}

/// An error of the file system. A full disk is said as such.
pub(crate) fn failed(error: io::Error) -> S3Error {
    tracing::warn!(%error, "the file system failed");
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
}

pub(crate) fn missing_or_failed(error: io::Error, missing: S3ErrorCode) -> S3Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            missing.into()
        }
        _ => failed(error),
    }
}

/// Bytes being written beside the objects; they vanish unless they are kept.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    file: File,
    pub(crate) size_bytes: u64,
    kept: bool,
}

impl Draft {
    pub(crate) async fn begin(folder: &Path) -> S3Result<Self> {
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let file = File::create(&path).await.map_err(failed)?;
        Ok(Self { path, file, size_bytes: 0, kept: false })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> S3Result<()> {
        self.size_bytes += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(failed)
    }

    /// Everything of a request's body; one that breaks off is refused.
    pub(crate) async fn receive(&mut self, mut body: StreamingBlob, declared: Option<i64>) -> S3Result<()> {
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
            self.write(&piece).await?;
        }
        let whole = declared.is_none_or(|length| u64::try_from(length) == Ok(self.size_bytes));
        if whole { Ok(()) } else { Err(s3_error!(IncompleteBody)) }
    }

    /// Makes it durable and puts it in its place. With `fresh`, an object that is there already wins.
    pub(crate) async fn keep(mut self, path: &Path, fresh: bool) -> S3Result<Metadata> {
        self.file.flush().await.map_err(failed)?;
        self.file.sync_data().await.map_err(failed)?;
        let metadata = self.file.metadata().await.map_err(failed)?;
        let mut placed = self.place(path, fresh).await;
        if placed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // Its folder was made, and removed again by the deletion of the last object in it.
            placed = self.place(path, fresh).await;
        }
        match placed {
            Ok(()) => {
                self.kept = !fresh;
                Ok(metadata)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fresh => {
                Err(s3_error!(PreconditionFailed, "the object exists"))
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory) =>
            {
                Err(s3_error!(
                    InvalidArgument,
                    "this server cannot store both an object and others below its key"
                ))
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn place(&self, path: &Path, fresh: bool) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await?;
        }
        if fresh { fs::hard_link(&self.path, path).await } else { fs::rename(&self.path, path).await }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "a draft is gone already");
        }
    }
}
