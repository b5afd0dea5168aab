//! Uploads in parts: each a folder of numbered files until they are put together.

use std::path::{Path, PathBuf};

use s3s::{S3ErrorCode, S3Result, dto::StreamingBlob, s3_error};
use tokio::{fs, io::AsyncReadExt};
use uuid::Uuid;

use crate::object::{Draft, etag, failed, missing_or_failed};

/// Smallest part but the last, as S3 has it.
const SMALLEST_PART: u64 = 5 << 20;

/// The folder of all uploads under way.
#[derive(Clone, Debug)]
pub(crate) struct Uploads {
    pub(crate) folder: PathBuf,
}

impl Uploads {
    pub(crate) async fn begin(&self, bucket: &str, key: &str) -> S3Result<String> {
        let id = Uuid::new_v4().simple().to_string();
        let folder = self.folder.join(&id);
        fs::create_dir(&folder).await.map_err(failed)?;
        fs::write(folder.join("target"), format!("{bucket}/{key}")).await.map_err(failed)?;
        Ok(id)
    }

    /// Stores a part and returns its tag.
    pub(crate) async fn part(
        &self,
        target: &str,
        id: &str,
        number: i32,
        body: StreamingBlob,
        declared: Option<i64>,
    ) -> S3Result<s3s::dto::ETag> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "a part has a number of 1 to 10000"));
        }
        let folder = self.of(target, id).await?;
        let mut draft = Draft::begin(&folder).await?;
        draft.receive(body, declared).await?;
        let metadata = draft.keep(&folder.join(number.to_string()), false).await?;
        Ok(etag(&metadata))
    }

    /// Puts the named parts together into a draft.
    pub(crate) async fn join(&self, target: &str, id: &str, parts: &[i32], drafts: &Path) -> S3Result<Draft> {
        let folder = self.of(target, id).await?;
        if parts.is_empty() || !parts.is_sorted_by(|a, b| a < b) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut draft = Draft::begin(drafts).await?;
        let mut buffer = vec![0_u8; 256 * 1024];
        for (place, number) in parts.iter().enumerate() {
            let path = folder.join(number.to_string());
            let mut part = fs::File::open(&path)
                .await
                .map_err(|error| missing_or_failed(error, S3ErrorCode::InvalidPart))?;
            let before = draft.size_bytes;
            loop {
                match part.read(&mut buffer).await.map_err(failed)? {
                    0 => break,
                    count => draft.write(&buffer[..count]).await?,
                }
            }
            if place + 1 < parts.len() && draft.size_bytes - before < SMALLEST_PART {
                return Err(s3_error!(EntityTooSmall));
            }
        }
        Ok(draft)
    }

    pub(crate) async fn end(&self, target: &str, id: &str) -> S3Result<()> {
        let folder = self.of(target, id).await?;
        fs::remove_dir_all(folder).await.map_err(failed)
    }

    /// The folder of an upload, if it is of this object.
    async fn of(&self, target: &str, id: &str) -> S3Result<PathBuf> {
        // Parsed, an id can only name a folder of ours.
        let id = Uuid::try_parse(id).map_err(|_| s3_error!(NoSuchUpload))?;
        let folder = self.folder.join(id.simple().to_string());
        let meant = fs::read_to_string(folder.join("target"))
            .await
            .map_err(|error| missing_or_failed(error, S3ErrorCode::NoSuchUpload))?;
        if meant == target { Ok(folder) } else { Err(s3_error!(NoSuchUpload)) }
    }
}
