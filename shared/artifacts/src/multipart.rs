//! Storing a large object in parts.

use anneal_runtime::{fail, tasks};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};

use crate::{ArtifactError, Key, ObjectStore};

/// Size of every part but the last. S3 takes at most 10,000 parts: objects up to 160 GB.
pub(crate) const PART_BYTES: u64 = 16 << 20;

/// An upload under way; dropping it before it is complete aborts it.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    store: &'a ObjectStore,
    key: &'a Key,
    id: String,
    parts: Vec<CompletedPart>,
    complete: bool,
}

impl<'a> Upload<'a> {
    pub(crate) async fn begin(store: &'a ObjectStore, key: &'a Key) -> Result<Self, ArtifactError> {
        let begun = store
            .client
            .create_multipart_upload()
            .bucket(&store.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(ArtifactError::store("begin an upload in parts"))?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        Ok(Self { store, key, id, parts: Vec::new(), complete: false })
    }

    pub(crate) async fn part(&mut self, body: ByteStream) -> Result<(), ArtifactError> {
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let sent = self
            .store
            .client
            .upload_part()
            .bucket(&self.store.bucket)
            .key(self.key.as_str())
            .upload_id(&self.id)
            .part_number(number)
            .body(body)
            .send()
            .await
            .map_err(ArtifactError::store("store a part"))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned));
        self.parts.push(part.build());
        fail::point("artifacts.after_part");
        Ok(())
    }

    /// Puts the parts together. A store may answer 200 with an error inside, or lose the answer: what counts is whether an
    /// object of the right size is there.
    pub(crate) async fn complete(mut self, size_bytes: u64) -> Result<(), ArtifactError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let put_together = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.key.as_str())
            .upload_id(&self.id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(ArtifactError::store("put the parts together"));
        match self.store.size(self.key).await {
            Ok(Some(size)) if size == size_bytes => {
                self.complete = true;
                Ok(())
            }
            Ok(size) => Err(put_together.err().unwrap_or_else(|| ArtifactError::Store {
                what: "put the parts together",
                reason: format!("the object has {size:?} bytes, not {size_bytes}"),
                retryable: true,
            })),
            Err(error) => Err(put_together.err().unwrap_or(error)),
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if self.complete || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let abort = self
            .store
            .client
            .abort_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.key.as_str())
            .upload_id(&self.id);
        tasks::spawn("artifacts.abort", async move {
            if let Err(error) = abort.send().await {
                tracing::warn!(%error, "an unfinished upload could not be aborted; its parts stay until the bucket expires them");
            }
        });
    }
}
