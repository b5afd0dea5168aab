//! Settings of the inference service.

use std::path::PathBuf;

use anneal_artifacts::ObjectsConfig;
use anneal_bus::BusConfig;
use anneal_runtime::telemetry::Logging;
use serde::Deserialize;

/// The settings, read once; the variables begin with `ANNEAL_INFERENCE_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the OpenAI-compatible API listens. It asks for no key: only task-api may reach it.
    pub listen: String,
    /// The broker.
    pub nats: BusConfig,
    /// The object store.
    pub objects: ObjectsConfig,
    /// What is logged and how.
    pub log: Logging,
    /// Where fetched models lie while they are served.
    pub work_dir: PathBuf,
    /// `libonnxruntime.so`; found in the parts folder when empty.
    pub onnxruntime: PathBuf,
    /// Threads of each model; 0 takes all.
    pub threads: usize,
    /// Deployments are compared with what is wanted at least this often.
    pub refresh_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7484".to_owned(),
            nats: BusConfig::default(),
            objects: ObjectsConfig::default(),
            log: Logging::default(),
            work_dir: PathBuf::from(".local/inference"),
            onnxruntime: PathBuf::new(),
            threads: 0,
            refresh_ms: 15_000,
        }
    }
}
