//! What is there, and removing it.

use aws_sdk_s3::{error::SdkError, operation::head_object::HeadObjectError};

use crate::{ArtifactError, Key, MANIFEST, ObjectStore, Prefix};

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its size.
    pub size_bytes: u64,
}

impl ObjectStore {
    /// The size of an object; `None` when it is not there.
    pub async fn size(&self, key: &Key) -> Result<Option<u64>, ArtifactError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await;
        match head {
            Ok(head) => Ok(head.content_length().and_then(|n| u64::try_from(n).ok())),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), HeadObjectError::NotFound(_))
                    || error.raw().status().as_u16() == 404 =>
            {
                Ok(None)
            }
            Err(error) => Err(ArtifactError::store("look an object up")(error)),
        }
    }

    /// Every object below a folder.
    pub async fn list(&self, prefix: &Prefix) -> Result<Vec<Listed>, ArtifactError> {
        let mut listed = Vec::new();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{prefix}/"))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(ArtifactError::store("list objects"))?;
            for object in page.contents() {
                let key = Key::try_from(object.key().unwrap_or_default().to_owned())?;
                let size_bytes = object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                listed.push(Listed { key, size_bytes });
            }
        }
        Ok(listed)
    }

    /// Removes one object; removing what is not there is fine.
    pub async fn delete(&self, key: &Key) -> Result<(), ArtifactError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(ArtifactError::store("remove an object"))?;
        Ok(())
    }

    /// Removes everything below a folder, manifests first (so that no half-removed folder reads as real), and says how
    /// many objects there were.
    pub async fn delete_prefix(&self, prefix: &Prefix) -> Result<usize, ArtifactError> {
        self.delete_prefix_but(prefix, &[]).await
    }

    /// As [`ObjectStore::delete_prefix`], but everything below the `kept` folders stays.
    pub async fn delete_prefix_but(&self, prefix: &Prefix, kept: &[Prefix]) -> Result<usize, ArtifactError> {
        let mut listed = self.list(prefix).await?;
        listed.retain(|object| !kept.iter().any(|kept| object.key.is_below(kept)));
        listed.sort_by_key(|object| !object.key.as_str().ends_with(MANIFEST));
        for object in &listed {
            self.delete(&object.key).await?;
        }
        Ok(listed.len())
    }
}
