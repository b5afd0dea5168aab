//! Storing one object.

use std::path::Path;

use aws_sdk_s3::primitives::{ByteStream, Length};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use crate::{
    ArtifactError, Key, ObjectStore, Stored,
    hash::{self, Hasher, sha256_of_file},
    multipart::{PART_BYTES, Upload},
};

impl ObjectStore {
    /// Stores bytes that are in memory.
    pub async fn put_bytes(&self, key: &Key, bytes: Bytes) -> Result<Stored, ArtifactError> {
        let stored = hash::of_bytes(&bytes);
        self.put_body(key, bytes.into()).await?;
        Ok(stored)
    }

    /// Stores a local file, in parts when it is large. The file must not change meanwhile.
    pub async fn put_file(&self, key: &Key, path: &Path) -> Result<Stored, ArtifactError> {
        let stored = sha256_of_file(path).await?;
        if stored.size_bytes <= PART_BYTES {
            self.put_body(key, part_of(path, 0, stored.size_bytes).await?).await?;
            return Ok(stored);
        }
        let mut upload = Upload::begin(self, key).await?;
        let mut offset = 0;
        while offset < stored.size_bytes {
            let length = PART_BYTES.min(stored.size_bytes - offset);
            upload.part(part_of(path, offset, length).await?).await?;
            offset += length;
        }
        upload.complete(stored.size_bytes).await?;
        Ok(stored)
    }

    /// Stores bytes as they come, in parts when there are many; at most one part is held in memory. When the source fails,
    /// nothing is stored.
    pub async fn put_stream<S>(&self, key: &Key, source: S) -> Result<Stored, ArtifactError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send,
    {
        let mut source = std::pin::pin!(source);
        let part_bytes = usize::try_from(PART_BYTES).unwrap_or(usize::MAX);
        let mut hasher = Hasher::default();
        let mut buffer = BytesMut::new();
        let mut upload: Option<Upload<'_>> = None;
        while let Some(piece) = source.next().await {
            let piece = piece.map_err(ArtifactError::Source)?;
            hasher.update(&piece);
            buffer.extend_from_slice(&piece);
            while buffer.len() > part_bytes {
                let part = buffer.split_to(part_bytes).freeze();
                let upload = match &mut upload {
                    Some(upload) => upload,
                    None => upload.insert(Upload::begin(self, key).await?),
                };
                upload.part(part.into()).await?;
            }
        }
        let stored = hasher.finish();
        match upload {
            None => self.put_body(key, buffer.freeze().into()).await?,
            Some(mut upload) => {
                upload.part(buffer.freeze().into()).await?;
                upload.complete(stored.size_bytes).await?;
            }
        }
        Ok(stored)
    }

    async fn put_body(&self, key: &Key, body: ByteStream) -> Result<(), ArtifactError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .body(body)
            .send()
            .await
            .map_err(ArtifactError::store("store an object"))?;
        Ok(())
    }
}

async fn part_of(path: &Path, offset: u64, length: u64) -> Result<ByteStream, ArtifactError> {
    ByteStream::read_from()
        .path(path)
        .offset(offset)
        .length(Length::Exact(length))
        .buffer_size(256 * 1024)
        .build()
        .await
        .map_err(|error| ArtifactError::local(path)(std::io::Error::other(error)))
}
