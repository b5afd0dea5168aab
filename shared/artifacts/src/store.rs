//! The client, set up against its known traps.

use std::{fmt, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::{ArtifactError, ObjectsConfig};

/// Attempts of one request, with exponential backoff: bursts of 500, 503 and SlowDown pass.
const ATTEMPTS: u32 = 7;

/// A connection to one bucket of an object store. Clones share it.
#[derive(Clone)]
pub struct ObjectStore {
    pub(crate) client: Client,
    /// Signs links for the address that users see.
    pub(crate) public: Client,
    pub(crate) bucket: String,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// Sets the client up. Nothing is asked of the store yet; see [`ObjectStore::check`].
    pub fn connect(config: &ObjectsConfig) -> Self {
        let public =
            if config.public_endpoint.is_empty() { &config.endpoint } else { &config.public_endpoint };
        Self {
            client: client(config, &config.endpoint),
            public: client(config, public),
            bucket: config.bucket.clone(),
        }
    }

    /// Asks whether the bucket can be reached with these credentials.
    pub async fn check(&self) -> Result<(), ArtifactError> {
        self.client
            .head_bucket()
            .bucket(&self.bucket)
            .send()
            .await
            .map_err(ArtifactError::store("reach the bucket"))?;
        Ok(())
    }
}

fn client(config: &ObjectsConfig, endpoint: &str) -> Client {
    // Without TLS no root certificates are loaded. Connections go stale after idle hours: they are dropped after seconds.
    let idle = Duration::from_secs(20);
    let http = if endpoint.starts_with("https:") {
        Builder::new().pool_idle_timeout(idle).tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    } else {
        Builder::new().pool_idle_timeout(idle).build_http()
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .operation_attempt_timeout(Duration::from_secs(300))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(5));
    let credentials =
        Credentials::new(&config.access_key, config.secret_key.expose(), None, None, "configuration");
    let settings = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials)
        .force_path_style(true)
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        // The default CRC32 breaks presigned PUT and some servers; integrity is our own SHA-256.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(settings)
}
