//! How to reach the broker.

use anneal_runtime::Secret;
use serde::Deserialize;

/// How to reach the broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusConfig {
    /// One or more addresses, separated by commas.
    pub url: String,
    /// User name; empty for a broker without users.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self::anonymous("nats://127.0.0.1:4222")
    }
}

impl BusConfig {
    /// A broker without users, as in tests.
    pub fn anonymous(url: impl Into<String>) -> Self {
        Self { url: url.into(), user: String::new(), password: Secret::default() }
    }
}
