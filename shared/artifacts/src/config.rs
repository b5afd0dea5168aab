//! How to reach the object store.

use anneal_runtime::Secret;
use serde::Deserialize;

/// How to reach the object store.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectsConfig {
    /// Base URL of the S3 API as services see it.
    pub endpoint: String,
    /// Base URL as users' browsers see it, for presigned links; the same as `endpoint` when empty.
    pub public_endpoint: String,
    /// Region to sign for.
    pub region: String,
    /// The bucket that holds everything.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
}

impl Default for ObjectsConfig {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:8014".to_owned(),
            public_endpoint: String::new(),
            region: "us-east-1".to_owned(),
            bucket: "anneal".to_owned(),
            access_key: String::new(),
            secret_key: Secret::default(),
        }
    }
}
