//! Links that let a browser fetch or store one object without credentials.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;

use crate::{ArtifactError, Key, ObjectStore};

impl ObjectStore {
    /// A link that fetches the object for `valid` (at most a week). `file_name` is what a browser saves it as.
    pub async fn presign_get(
        &self,
        key: &Key,
        valid: Duration,
        file_name: Option<&str>,
    ) -> Result<String, ArtifactError> {
        let request = self
            .public
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .set_response_content_disposition(file_name.map(disposition))
            .presigned(validity(valid)?)
            .await
            .map_err(ArtifactError::store("sign a link"))?;
        Ok(request.uri().to_owned())
    }

    /// A link that stores exactly `size_bytes` under the key for `valid` (at most a week).
    pub async fn presign_put(
        &self,
        key: &Key,
        valid: Duration,
        size_bytes: u64,
    ) -> Result<String, ArtifactError> {
        let request = self
            .public
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_length(i64::try_from(size_bytes).unwrap_or(i64::MAX))
            .presigned(validity(valid)?)
            .await
            .map_err(ArtifactError::store("sign a link"))?;
        Ok(request.uri().to_owned())
    }
}

fn validity(valid: Duration) -> Result<PresigningConfig, ArtifactError> {
    PresigningConfig::expires_in(valid).map_err(|error| ArtifactError::Store {
        what: "sign a link",
        reason: error.to_string(),
        retryable: false,
    })
}

/// RFC 6266 with the RFC 5987 form for everything that is not plain ASCII.
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect();
    let encoded: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"._-".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        let header = disposition("模型\"\r\nX: y.json");
        assert!(!header.contains('\r') && header.matches('"').count() == 2, "{header}");
        assert!(header.contains("%E6%A8%A1"));
    }
}
