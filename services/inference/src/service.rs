//! The platform's inference service: keeps what is served equal to what is deployed.
//!
//! task-api says which deployments should be up; a notice says that the list changed, and a slow clock asks again in case the
//! notice was lost. Nothing is remembered between two starts: the list is the truth.

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_bus::{Bus, Notices};
use anneal_contracts::{
    Trace,
    rpc::{DeploymentTarget, DeploymentsReply, Done, ReportDeployment},
    subject::{self, rpc},
};
use anneal_domain::id::DeploymentId;
use anneal_runtime::{CancellationToken, clock::SystemClock, tasks::Supervisor};
use anyhow::{Context as _, Result};

use crate::{
    Config, Deployments, Settings,
    keeper::{Keeper, Platform},
    server,
};

/// How long tasks may take to end at shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// Asked again this soon when task-api does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Serves the platform's deployments until `shutdown`.
pub async fn serve(config: Config, shutdown: CancellationToken) -> Result<()> {
    let onnxruntime = (!config.onnxruntime.as_os_str().is_empty()).then(|| config.onnxruntime.clone());
    let settings = Settings { onnxruntime, threads: config.threads, ..Settings::default() };
    let deployments = Deployments::new(settings, SystemClock::shared());
    let listener =
        TcpListener::bind(&config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let http = server::serve(listener, deployments.clone())?;
    let bus = Bus::connect(&config.nats, "anneal-inference").await?;
    let notices = bus.listen(subject::DEPLOYMENTS_CHANGED).await?;
    let objects = ObjectStore::connect(&config.objects);
    let served = Served { bus, objects, deployments, endpoint, work_dir: config.work_dir };
    let keeper = Keeper::new(served, SystemClock::shared());
    let tasks = Supervisor::new(shutdown.clone());
    let refresh = Duration::from_millis(config.refresh_ms.max(100));
    let stop = shutdown.clone();
    tasks.spawn("deployments", keep(keeper, notices, refresh, stop));
    tracing::info!("ready");
    let handle = http.handle();
    tokio::select! {
        ended = http => ended?,
        () = shutdown.cancelled() => handle.stop(true).await,
    }
    shutdown.cancel();
    tasks.wait(GRACE).await?;
    Ok(())
}

/// The platform as it is: the broker, the object store, the models in memory.
struct Served {
    bus: Bus,
    objects: ObjectStore,
    deployments: Deployments,
    endpoint: String,
    work_dir: PathBuf,
}

impl Served {
    fn folder(&self, id: DeploymentId) -> PathBuf {
        self.work_dir.join(id.to_string())
    }

    async fn remove_folder(&self, id: DeploymentId) {
        match tokio::fs::remove_dir_all(self.folder(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, deployment = %id, "its folder could not be removed");
            }
            _ => {}
        }
    }

    async fn fetch_and_load(&self, target: &DeploymentTarget) -> Result<()> {
        let folder = self.folder(target.deployment);
        let prefix = Prefix::parse(&target.folder.prefix)?;
        self.objects.get_folder(&prefix, Some(&target.folder.manifest_sha256), &folder).await?;
        let (deployments, name) = (self.deployments.clone(), target.name.clone());
        tokio::task::spawn_blocking(move || deployments.load(&name, Path::new(&folder))).await??;
        Ok(())
    }
}

impl Platform for Served {
    async fn wanted(&self) -> Result<Vec<DeploymentTarget>> {
        let reply: DeploymentsReply =
            self.bus.request(rpc::LIST_DEPLOYMENTS, Trace::fresh(), &Done {}).await?;
        Ok(reply.deployments)
    }

    async fn load(&self, target: &DeploymentTarget) -> Result<()> {
        self.remove_folder(target.deployment).await;
        let loaded = self.fetch_and_load(target).await;
        match &loaded {
            Ok(()) => tracing::info!(deployment = %target.deployment, name = target.name, "serving"),
            Err(_) => self.remove_folder(target.deployment).await,
        }
        loaded
    }

    async fn unload(&self, target: &DeploymentTarget) {
        self.deployments.unload(&target.name);
        tracing::info!(deployment = %target.deployment, name = target.name, "unloaded");
        self.remove_folder(target.deployment).await;
    }

    async fn report(&self, target: &DeploymentTarget, failure: Option<&str>) -> Result<()> {
        let report = ReportDeployment {
            deployment: target.deployment,
            ready: failure.is_none(),
            failure: failure.map(str::to_owned),
            endpoint: self.endpoint.clone(),
        };
        let Done {} = self.bus.request(rpc::REPORT_DEPLOYMENT, Trace::fresh(), &report).await?;
        Ok(())
    }
}

/// Compares after each notice, and at least every `refresh`, until `stop`.
async fn keep(
    mut keeper: Keeper<Served>,
    mut notices: Notices,
    refresh: Duration,
    stop: CancellationToken,
) -> Result<()> {
    loop {
        let next = match keeper.refresh().await {
            Ok(()) => refresh,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the deployments could not be compared");
                TRY_AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            notice = notices.next() => notice.context("the broker's connection is gone for good")?,
            () = tokio::time::sleep(next) => {}
        }
    }
}
