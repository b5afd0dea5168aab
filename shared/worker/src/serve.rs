//! A worker service as a process: settings, logging, the loop, shutdown.

use std::{io, path::Path};

use anneal_runtime::{
    block_on,
    clock::SystemClock,
    config::{self, ConfigError},
    shutdown,
    telemetry::{self, TelemetryError},
};

use crate::{Worker, WorkerConfig, WorkerError, Workload};

/// A worker service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its log.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Its executor or its signals.
    #[error("the service cannot be set up")]
    Setup(#[from] io::Error),
    /// Its connections or its folder.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// Runs the worker service `service` (such as `trainer`, whose variables begin with `ANNEAL_TRAINER_`) until SIGTERM or
/// SIGINT. A task under way is checkpointed and given back.
pub fn serve<W: Workload>(
    service: &str,
    file: Option<&Path>,
    workload: impl FnOnce(&WorkerConfig) -> io::Result<W>,
) -> Result<(), ServeError> {
    let config: WorkerConfig = config::load(service, file)?;
    telemetry::init(&config.logging)?;
    block_on(async move {
        let shutdown = shutdown::on_signal()?;
        let workload = workload(&config)?;
        let worker = tokio::select! {
            worker = Worker::start(config, workload, SystemClock::shared()) => worker?,
            () = shutdown.cancelled() => return Ok(()),
        };
        worker.run(shutdown).await;
        Ok(())
    })?
}
