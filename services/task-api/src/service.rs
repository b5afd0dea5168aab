//! Starts the service and stops it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anneal_artifacts::ObjectStore;
use anneal_bus::Bus;
use anneal_runtime::{CancellationToken, tasks::Supervisor};
use anneal_store::{Store, TimeSource};
use tokio::sync::Semaphore;

use crate::{App, Config, access, background, http, store, wakes::Wakes, work_folder::WorkFolder};

/// How long background tasks may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// A started service.
#[derive(Debug)]
pub struct Running {
    /// Where it answers HTTP.
    pub address: SocketAddr,
    tasks: Supervisor,
}

impl Running {
    /// Waits for the shutdown and for everything to end.
    pub async fn wait(self) -> anyhow::Result<()> {
        Ok(self.tasks.wait(GRACE).await?)
    }
}

/// Starts everything, with the database's own time.
pub async fn start(config: Config, shutdown: CancellationToken) -> anyhow::Result<Running> {
    start_with(config, TimeSource::Database, shutdown).await
}

async fn start_with(
    config: Config,
    time: TimeSource,
    shutdown: CancellationToken,
) -> anyhow::Result<Running> {
    let database = Store::connect_with(&config.database.url, time).await?;
    database.migrate(store::migrations).await?;
    access::bootstrap(&database, &config.bootstrap_key).await?;
    let bus = Bus::connect(&config.nats, "anneal-task-api").await?;
    bus.ensure_streams().await?;
    // Already installed by another part of the process: the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let app = App {
        store: database,
        bus,
        objects: ObjectStore::connect(&config.objects),
        work: WorkFolder::make(&config.work_dir)?,
        wakes: Wakes::default(),
        http: reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).build()?,
        comparing: Arc::new(Semaphore::new(1)),
        config: Arc::new(config),
    };
    let tasks = Supervisor::new(shutdown);
    background::start(&app, &tasks);
    let (handle, address, server) = http::serve(app)?;
    let stop = tasks.shutdown();
    tasks.spawn("http-stop", async move {
        stop.cancelled().await;
        handle.stop(true).await;
        Ok::<_, std::io::Error>(())
    });
    tasks.spawn("http", server);
    tracing::info!(%address, "ready");
    Ok(Running { address, tasks })
}
