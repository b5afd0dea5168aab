//! Where the hub is, and who we are there.

use anneal_runtime::Secret;
use serde::Deserialize;

/// The hub's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The hub, or a mirror of it; empty: nothing is imported from a hub.
    pub endpoint: String,
    /// An access token for private and gated repositories; it is sent to the endpoint and to no other host.
    pub token: Secret,
    /// A download that brings nothing for this long is taken up again.
    pub idle_ms: u64,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { endpoint: "https://huggingface.co".to_owned(), token: Secret::default(), idle_ms: 60_000 }
    }
}
