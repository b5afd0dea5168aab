//! The platform's inference service: keeps what is served equal to what is deployed.
//!
//! task-api says which deployments should be up; a notice says that the list changed, and a slow clock asks again in case the
//! notice was lost. Nothing is remembered between two starts: the list is the truth.

use std::{
    collections::HashMap,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_bus::Bus;
use anneal_contracts::{
    Trace,
    rpc::{DeploymentTarget, DeploymentsReply, Done, ReportDeployment},
    subject::{self, rpc},
};
use anneal_domain::id::DeploymentId;
use anneal_runtime::{CancellationToken, clock::SystemClock, tasks::Supervisor};
use anyhow::{Context as _, Result};

use crate::{Config, Deployments, Settings, server};

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
    let keeper = Keeper {
        bus,
        objects: ObjectStore::connect(&config.objects),
        deployments,
        endpoint,
        work_dir: config.work_dir,
        served: HashMap::new(),
    };
    let tasks = Supervisor::new(shutdown.clone());
    let refresh = Duration::from_millis(config.refresh_ms.max(100));
    let stop = shutdown.clone();
    tasks.spawn("deployments", async move { keeper.run(refresh, stop).await });
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

/// What is served now, and what makes it so.
struct Keeper {
    bus: Bus,
    objects: ObjectStore,
    deployments: Deployments,
    endpoint: String,
    work_dir: PathBuf,
    served: HashMap<DeploymentId, DeploymentTarget>,
}

impl Keeper {
    async fn run(mut self, refresh: Duration, stop: CancellationToken) -> Result<()> {
        let mut notices = self.bus.listen(subject::DEPLOYMENTS_CHANGED).await?;
        loop {
            let next = match self.refresh().await {
                Ok(()) => refresh,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the deployments could not be compared");
                    TRY_AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = notices.next() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    async fn refresh(&mut self) -> Result<()> {
        let wanted: DeploymentsReply =
            self.bus.request(rpc::LIST_DEPLOYMENTS, Trace::fresh(), &Done {}).await?;
        let wanted = wanted.deployments;
        let gone: Vec<_> = self
            .served
            .keys()
            .filter(|id| !wanted.iter().any(|target| target.deployment == **id))
            .copied()
            .collect();
        for id in gone {
            self.unload(id).await;
        }
        for target in wanted {
            if self.served.get(&target.deployment) != Some(&target) {
                self.bring_up(target).await?;
            }
        }
        Ok(())
    }

    async fn unload(&mut self, id: DeploymentId) {
        let Some(target) = self.served.remove(&id) else { return };
        self.deployments.unload(&target.name);
        tracing::info!(deployment = %id, name = target.name, "unloaded");
        if let Err(error) = tokio::fs::remove_dir_all(self.folder(id)).await {
            tracing::warn!(%error, deployment = %id, "its folder could not be removed");
        }
    }

    /// Loads a deployment and reports how that went; only a report that cannot be delivered is an error.
    async fn bring_up(&mut self, target: DeploymentTarget) -> Result<()> {
        self.unload(target.deployment).await;
        let outcome = self.load(&target).await;
        if let Err(error) = &outcome {
            tracing::warn!(error = format!("{error:#}"), deployment = %target.deployment, "does not load");
        }
        let report = ReportDeployment {
            deployment: target.deployment,
            ready: outcome.is_ok(),
            failure: outcome.err().map(|error| format!("{error:#}")),
            endpoint: self.endpoint.clone(),
        };
        let Done {} = self.bus.request(rpc::REPORT_DEPLOYMENT, Trace::fresh(), &report).await?;
        if report.ready {
            self.served.insert(target.deployment, target);
        }
        Ok(())
    }

    async fn load(&self, target: &DeploymentTarget) -> Result<()> {
        let folder = self.folder(target.deployment);
        if tokio::fs::try_exists(&folder).await? {
            tokio::fs::remove_dir_all(&folder).await?;
        }
        let prefix = Prefix::parse(&target.folder.prefix)?;
        self.objects.get_folder(&prefix, Some(&target.folder.manifest_sha256), &folder).await?;
        let (deployments, name) = (self.deployments.clone(), target.name.clone());
        tokio::task::spawn_blocking(move || deployments.load(&name, Path::new(&folder))).await??;
        tracing::info!(deployment = %target.deployment, name = target.name, "serving");
        Ok(())
    }

    fn folder(&self, id: DeploymentId) -> PathBuf {
        self.work_dir.join(id.to_string())
    }
}
