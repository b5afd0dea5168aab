//! The S3 operations that an S3 client of the platform or of a user needs, over a folder.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use s3s::{
    S3, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput,
        HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
        PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use crate::{
    multipart::Uploads,
    object::{Draft, etag, failed, missing_or_failed, modified, path_of},
};

/// Bytes read and sent at once.
const PIECE: usize = 128 * 1024;
/// Names of our own folders beside the buckets; no bucket may be named with a dot in front.
const DRAFTS: &str = ".drafts";
const UPLOADS: &str = ".uploads";

/// Objects in a folder: `<root>/<bucket>/<key>`.
#[derive(Debug)]
pub(crate) struct Storage {
    root: PathBuf,
    drafts: PathBuf,
    uploads: Uploads,
}

impl Storage {
    /// Makes what is absent, and removes what an earlier server left half-written. Uploads in parts go on.
    pub(crate) fn open(root: &Path, bucket: &str) -> io::Result<Self> {
        std::fs::create_dir_all(root.join(bucket))?;
        let root = root.canonicalize()?;
        let (drafts, uploads) = (root.join(DRAFTS), root.join(UPLOADS));
        if drafts.exists() {
            std::fs::remove_dir_all(&drafts)?;
        }
        std::fs::create_dir_all(&drafts)?;
        std::fs::create_dir_all(&uploads)?;
        Ok(Self { root, drafts, uploads: Uploads { folder: uploads } })
    }

    fn bucket(&self, name: &str) -> S3Result<PathBuf> {
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        let path = self.root.join(name);
        if plain && path.is_dir() { Ok(path) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        path_of(&self.bucket(bucket)?, key)
    }

    async fn remove(&self, bucket: &str, key: &str) -> S3Result<()> {
        let folder = self.bucket(bucket)?;
        let path = path_of(&folder, key)?;
        match fs::remove_file(&path).await {
            Ok(()) => {}
            Err(error) => match missing_or_failed(error, S3ErrorCode::NoSuchKey) {
                missing if *missing.code() == S3ErrorCode::NoSuchKey => return Ok(()),
                error => return Err(error),
            },
        }
        // Folders are no objects: those that are empty now go, up to the bucket.
        let mut parent = path.parent();
        while let Some(empty) = parent.filter(|parent| *parent != folder) {
            if fs::remove_dir(empty).await.is_err() {
                break;
            }
            parent = empty.parent();
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3 for Storage {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = req.input.bucket;
        if name.starts_with('.') || name.contains('/') {
            return Err(s3_error!(InvalidBucketName));
        }
        match fs::create_dir(self.root.join(&name)).await {
            Ok(()) => Ok(S3Response::new(CreateBucketOutput::default())),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(s3_error!(BucketAlreadyOwnedByYou))
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let path = self.object(&input.bucket, &input.key)?;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let fresh = input.if_none_match.as_ref().is_some_and(ETagCondition::is_any);
        let mut draft = Draft::begin(&self.drafts).await?;
        draft.receive(body, input.content_length).await?;
        let metadata = draft.keep(&path, fresh).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(etag(&metadata)), ..PutObjectOutput::default() }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let path = self.object(&input.bucket, &input.key)?;
        let missing = |error| missing_or_failed(error, S3ErrorCode::NoSuchKey);
        let mut file = File::open(&path).await.map_err(missing)?;
        let metadata = file.metadata().await.map_err(failed)?;
        if !metadata.is_file() {
            return Err(s3_error!(NoSuchKey));
        }
        let size = metadata.len();
        let range = input.range.map(|range| range.check(size)).transpose()?;
        let content_range =
            range.as_ref().map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1));
        let range = range.unwrap_or(0..size);
        file.seek(io::SeekFrom::Start(range.start)).await.map_err(failed)?;
        let length = range.end - range.start;
        let body = StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), PIECE));
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body),
            content_length: i64::try_from(length).ok(),
            content_range,
            content_type: input.response_content_type,
            content_disposition: input.response_content_disposition,
            last_modified: Some(modified(&metadata)?),
            e_tag: Some(etag(&metadata)),
            accept_ranges: Some("bytes".to_owned()),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let path = self.object(&req.input.bucket, &req.input.key)?;
        let found = fs::metadata(&path).await;
        let metadata = found.map_err(|error| missing_or_failed(error, S3ErrorCode::NoSuchKey))?;
        if !metadata.is_file() {
            return Err(s3_error!(NoSuchKey));
        }
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(metadata.len()).ok(),
            last_modified: Some(modified(&metadata)?),
            e_tag: Some(etag(&metadata)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.remove(&req.input.bucket, &req.input.key).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = req.input;
        let mut deleted = Vec::with_capacity(input.delete.objects.len());
        for object in input.delete.objects {
            self.remove(&input.bucket, &object.key).await?;
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let bucket = self.bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or_else(|| input.start_after.clone());
        let most = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(0).min(1000);
        let (walked, wanted) = (bucket.clone(), prefix.clone());
        let walk = tokio::task::spawn_blocking(move || keys_below(&walked, &wanted));
        let keys = walk.await.map_err(io::Error::other).and_then(|keys| keys).map_err(failed)?;
        let mut page = Page::default();
        let mut more = false;
        for key in keys {
            let entry = group(&key, &prefix, input.delimiter.as_deref());
            // A group is after the mark as a whole or not at all.
            if after.as_deref().is_some_and(|mark| entry <= mark) || page.last.as_deref() == Some(entry) {
                continue;
            }
            if page.count == most {
                more = true;
                break;
            }
            let (entry, is_group) = (entry.to_owned(), entry.len() < key.len());
            page.add(&bucket, entry, is_group).await?;
        }
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.count).ok(),
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(more),
            next_continuation_token: if more { page.last } else { None },
            contents: Some(page.objects),
            common_prefixes: Some(page.groups),
            delimiter: input.delimiter,
            prefix: Some(prefix),
            name: Some(input.bucket),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        self.object(&input.bucket, &input.key)?;
        let id = self.uploads.begin(&input.bucket, &input.key).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let target = format!("{}/{}", input.bucket, input.key);
        let tag = self
            .uploads
            .part(&target, &input.upload_id, input.part_number, body, input.content_length)
            .await?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(tag), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let path = self.object(&input.bucket, &input.key)?;
        let target = format!("{}/{}", input.bucket, input.key);
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let numbers: Vec<i32> = parts.iter().filter_map(|part| part.part_number).collect();
        let draft = self.uploads.join(&target, &input.upload_id, &numbers, &self.drafts).await?;
        let metadata = draft.keep(&path, false).await?;
        self.uploads.end(&target, &input.upload_id).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&metadata)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        self.uploads.end(&format!("{}/{}", input.bucket, input.key), &input.upload_id).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// One page of a listing.
#[derive(Default)]
struct Page {
    objects: Vec<Object>,
    groups: Vec<CommonPrefix>,
    count: usize,
    last: Option<String>,
}

impl Page {
    async fn add(&mut self, bucket: &Path, entry: String, is_group: bool) -> S3Result<()> {
        if is_group {
            self.groups.push(CommonPrefix { prefix: Some(entry.clone()) });
        } else {
            match fs::metadata(bucket.join(&entry)).await {
                Ok(metadata) => self.objects.push(Object {
                    key: Some(entry.clone()),
                    size: i64::try_from(metadata.len()).ok(),
                    last_modified: Some(modified(&metadata)?),
                    e_tag: Some(etag(&metadata)),
                    ..Object::default()
                }),
                // Removed since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
        self.count += 1;
        self.last = Some(entry);
        Ok(())
    }
}

/// The key, or, when the delimiter comes in it after the prefix, all up to there.
fn group<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> &'a str {
    let Some(delimiter) = delimiter.filter(|delimiter| !delimiter.is_empty()) else { return key };
    key[prefix.len()..].find(delimiter).map_or(key, |at| &key[..prefix.len() + at + delimiter.len()])
}

/// Every key that begins with the prefix, in order; only the prefix's own folder is walked.
fn keys_below(bucket: &Path, prefix: &str) -> io::Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.split('/').any(|part| part == "..") || folder.starts_with('/') {
        return Ok(keys);
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(bucket.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let is_folder = entry.file_type()?.is_dir();
            if is_folder && (key.starts_with(prefix) || prefix.starts_with(&format!("{key}/"))) {
                folders.push(key);
            } else if !is_folder && key.starts_with(prefix) {
                keys.insert(key);
            }
        }
    }
    Ok(keys)
}
