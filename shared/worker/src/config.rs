//! Settings of a worker service.

use std::{path::PathBuf, time::Duration};

use anneal_artifacts::ObjectsConfig;
use anneal_bus::BusConfig;
use anneal_domain::spec::Pool;
use anneal_runtime::telemetry::Logging;
use serde::Deserialize;

/// Settings of a worker service; every one has a default.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// The broker.
    pub nats: BusConfig,
    /// The object store.
    pub objects: ObjectsConfig,
    /// Log lines of the service itself.
    pub logging: Logging,
    /// The pool whose tasks it takes.
    pub pool: Pool,
    /// Folder for running tasks and fetched inputs; of this worker alone.
    pub work_dir: PathBuf,
    /// Fetched inputs are kept up to this size, the oldest go first.
    pub cache_bytes: u64,
    /// CPU threads of an engine; 0 takes all.
    pub threads: usize,
    /// Path of `libonnxruntime.so`, for the engines that use it; the engine's own default when empty.
    pub onnxruntime: PathBuf,
    /// Milliseconds between renewals of the lease.
    pub renew_interval_ms: u64,
    /// An engine that prints no line for this long is taken for hung and killed.
    pub hang_timeout_s: u64,
    /// How long an engine may take to write its checkpoint when it is asked to stop.
    pub stop_grace_s: u64,
    /// Attempts that may end in an engine failure before the task fails.
    pub max_attempts: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            nats: BusConfig::default(),
            objects: ObjectsConfig::default(),
            logging: Logging::default(),
            pool: Pool::Fast,
            work_dir: PathBuf::from(".local/worker"),
            cache_bytes: 20 << 30,
            threads: 0,
            onnxruntime: PathBuf::new(),
            renew_interval_ms: 10_000,
            hang_timeout_s: 900,
            stop_grace_s: 120,
            max_attempts: 3,
        }
    }
}

impl WorkerConfig {
    pub(crate) fn renew_interval(&self) -> Duration {
        Duration::from_millis(self.renew_interval_ms.max(10))
    }

    pub(crate) fn hang_timeout(&self) -> Duration {
        Duration::from_secs(self.hang_timeout_s.max(1))
    }

    pub(crate) fn stop_grace(&self) -> Duration {
        Duration::from_secs(self.stop_grace_s)
    }
}
