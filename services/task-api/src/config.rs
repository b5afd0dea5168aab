//! The settings of the API service.

use std::path::PathBuf;

use anneal_artifacts::ObjectsConfig;
use anneal_bus::BusConfig;
use anneal_hub::HubConfig;
use anneal_runtime::{Secret, telemetry::Logging};
use serde::Deserialize;

/// The settings, read once; environment variables begin with `ANNEAL_TASK_API_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the HTTP API listens.
    pub listen: String,
    /// Threads that answer HTTP.
    pub workers: usize,
    /// The broker.
    pub nats: BusConfig,
    /// The object store.
    pub objects: ObjectsConfig,
    /// The hub that models and datasets are imported from.
    pub hub: HubConfig,
    /// The database of this service alone.
    pub database: Database,
    /// What is logged and how.
    pub log: Logging,
    /// The first admin's key, made known at the first start; empty makes none.
    pub bootstrap_key: Secret,
    /// How long a lease lasts without a renewal.
    pub lease_ms: i64,
    /// How often expired leases are looked for.
    pub sweep_ms: u64,
    /// A queued task that nobody claimed is dispatched again after this long.
    pub redispatch_ms: i64,
    /// The built web console; nothing is served at `/` without it.
    pub console_dir: Option<PathBuf>,
    /// Where the inference service listens.
    pub inference_url: String,
    /// Where uploads wait while they are checked.
    pub work_dir: PathBuf,
    /// A request whose body brings nothing for this long is given up.
    pub body_idle_ms: u64,
    /// Objects that nothing needs any more are removed after this long.
    pub discard_after_ms: i64,
    /// Largest upload of one file.
    pub max_upload_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7480".to_owned(),
            workers: 2,
            nats: BusConfig::default(),
            objects: ObjectsConfig::default(),
            hub: HubConfig::default(),
            database: Database::default(),
            log: Logging::default(),
            bootstrap_key: Secret::default(),
            lease_ms: 45_000,
            sweep_ms: 1_000,
            redispatch_ms: 60_000,
            console_dir: None,
            inference_url: "http://127.0.0.1:7484".to_owned(),
            work_dir: std::env::temp_dir(),
            body_idle_ms: 30_000,
            discard_after_ms: 900_000,
            max_upload_bytes: 64 << 30,
        }
    }
}

/// Where this service keeps its rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:///path/task-api.db?mode=rwc` or `postgres://…`.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://task-api.db?mode=rwc".to_owned() }
    }
}
