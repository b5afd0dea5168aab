//! Fetching one object.

use std::{ops::Range, path::Path, time::Duration};

use aws_sdk_s3::{error::SdkError, operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use futures::Stream;
use tokio::{fs::File, io::AsyncWriteExt};

use crate::{ArtifactError, Key, ObjectStore, Stored, hash::Hasher};

/// Times a body is fetched anew when it breaks off or does not match; the request's own retries are not counted.
const ATTEMPTS: u32 = 4;

/// An object's bytes, as they come.
#[derive(Debug)]
pub struct Body {
    /// How many will come.
    pub size_bytes: u64,
    stream: ByteStream,
}

impl Body {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        let piece = self.stream.next().await?;
        Some(piece.map_err(std::io::Error::other))
    }

    /// The pieces as a stream, for an HTTP response.
    pub fn into_stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        futures::stream::unfold(self, |mut body| async move {
            let piece = body.next().await?;
            Some((piece, body))
        })
    }

    /// The bytes as a reader.
    pub fn into_async_read(self) -> impl tokio::io::AsyncBufRead + Send {
        self.stream.into_async_read()
    }
}

impl ObjectStore {
    /// The bytes of an object, or of a range of it. A body that breaks off is the reader's to notice.
    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, ArtifactError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Body { size_bytes: 0, stream: ByteStream::from_static(b"") });
        }
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let got = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .set_range(header)
            .send()
            .await
            .map_err(|error| missing_or(key, error))?;
        let size_bytes = got.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Ok(Body { size_bytes, stream: got.body })
    }

    /// A range of an object, in memory. Past the object's end there is less, or an error.
    pub async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes, ArtifactError> {
        self.collect(key, Some(range)).await
    }

    /// A whole small object, in memory.
    pub async fn get_bytes(&self, key: &Key) -> Result<Bytes, ArtifactError> {
        self.collect(key, None).await
    }

    /// Fetches an object into a local file and checks its size and SHA-256; the file is there only if they match.
    pub async fn get_to_file(&self, key: &Key, expected: &Stored, path: &Path) -> Result<(), ArtifactError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        let partial = Path::new(&partial);
        let mut attempt = 1;
        loop {
            match self.get_once(key, expected, partial).await {
                Ok(()) => break,
                Err(error @ (ArtifactError::Corrupt { .. } | ArtifactError::Store { .. }))
                    if attempt < ATTEMPTS =>
                {
                    tracing::warn!(%error, attempt, "fetching again");
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                    attempt += 1;
                }
                Err(error) => {
                    if let Err(left) = tokio::fs::remove_file(partial).await {
                        tracing::debug!(%left, "no partial file to remove");
                    }
                    return Err(error);
                }
            }
        }
        tokio::fs::rename(partial, path).await.map_err(ArtifactError::local(path))
    }

    async fn get_once(&self, key: &Key, expected: &Stored, partial: &Path) -> Result<(), ArtifactError> {
        let mut body = self.get(key, None).await?;
        let mut file = File::create(partial).await.map_err(ArtifactError::local(partial))?;
        let mut hasher = Hasher::default();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| broken(&error))?;
            hasher.update(&piece);
            file.write_all(&piece).await.map_err(ArtifactError::local(partial))?;
        }
        file.flush().await.map_err(ArtifactError::local(partial))?;
        let got = hasher.finish();
        if got == *expected {
            return Ok(());
        }
        let reason = format!(
            "{} bytes with SHA-256 {}, not {} bytes with {}",
            got.size_bytes, got.sha256, expected.size_bytes, expected.sha256
        );
        Err(ArtifactError::Corrupt { key: key.clone(), reason })
    }

    async fn collect(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes, ArtifactError> {
        let mut attempt = 1;
        loop {
            let body = self.get(key, range.clone()).await?;
            let expected = body.size_bytes;
            match body.stream.collect().await {
                Ok(bytes) => {
                    let bytes = bytes.into_bytes();
                    if bytes.len() as u64 == expected {
                        return Ok(bytes);
                    }
                    let reason = format!("{} bytes came, not {expected}", bytes.len());
                    if attempt == ATTEMPTS {
                        return Err(ArtifactError::Corrupt { key: key.clone(), reason });
                    }
                }
                Err(error) if attempt == ATTEMPTS => return Err(broken(&std::io::Error::other(error))),
                Err(error) => tracing::warn!(%error, attempt, "fetching again"),
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }
}

fn broken(error: &std::io::Error) -> ArtifactError {
    ArtifactError::Store { what: "send an object", reason: error.to_string(), retryable: true }
}

fn missing_or<R: std::fmt::Debug>(key: &Key, error: SdkError<GetObjectError, R>) -> ArtifactError {
    if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) {
        return ArtifactError::NotFound(key.clone());
    }
    ArtifactError::store("fetch an object")(error)
}
