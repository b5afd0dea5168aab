//! The worker's loop: one dispatch, one claim, one session.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anneal_artifacts::ObjectStore;
use anneal_bus::{Bus, Dispatch, RequestError};
use anneal_contracts::{
    Trace,
    rpc::{ClaimReply, ClaimedTask},
    stream,
};
use anneal_domain::id::WorkerId;
use anneal_runtime::{CancellationToken, clock::SharedClock, fail};
use tracing::Instrument;

use crate::{
    Lease, WorkerConfig, WorkerError, Workload,
    api::Api,
    inputs::InputCache,
    keeper::{self, Holding, Keeper, Usage},
    session::Session,
};

/// When nobody could answer a claim, its dispatch is offered again after this long.
const OFFER_AGAIN: Duration = Duration::from_secs(5);

/// A worker of one kind and pool.
pub struct Worker {
    api: Api,
    bus: Bus,
    store: Arc<ObjectStore>,
    config: Arc<WorkerConfig>,
    workload: Arc<dyn Workload>,
    clock: SharedClock,
    cache: InputCache,
    /// Held as long as the worker lives: no other uses its folder.
    _lock: File,
}

impl Worker {
    /// Takes the work folder and connects. Waits for the broker as long as it takes.
    pub async fn start(
        mut config: WorkerConfig,
        workload: impl Workload,
        clock: SharedClock,
    ) -> Result<Self, WorkerError> {
        let lock = take_folder(&config.work_dir)?;
        // Engines run in folders of their own: every path they are given is absolute.
        config.work_dir = config.work_dir.canonicalize().map_err(WorkerError::local(&config.work_dir))?;
        let cache = InputCache::new(config.work_dir.join("inputs"), config.cache_bytes);
        cache.clean().map_err(WorkerError::local(&config.work_dir))?;
        let id = WorkerId::new();
        let name = format!("anneal-{}-{id}", workload.kind().as_str());
        let bus = Bus::connect(&config.nats, &name).await?;
        Ok(Self {
            api: Api::new(bus.clone(), id),
            bus,
            store: Arc::new(ObjectStore::connect(&config.objects)),
            config: Arc::new(config),
            workload: Arc::new(workload),
            clock,
            cache,
            _lock: lock,
        })
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.api.worker
    }

    /// Takes and runs tasks, one at a time, until `shutdown`; a task under way is checkpointed and given back.
    pub async fn run(self, shutdown: CancellationToken) {
        let durable = stream::Consumer::workers(self.workload.kind(), self.config.pool);
        tracing::info!(worker = %self.id(), queue = durable.durable, "ready");
        let mut consumer = self.bus.consumer(durable);
        while let Some(dispatch) = consumer.next_dispatch(&shutdown).await {
            self.take(dispatch, &shutdown).await;
        }
    }

    async fn take(&self, dispatch: Dispatch, shutdown: &CancellationToken) {
        let trace = dispatch.envelope.trace;
        let task = dispatch.command.task;
        let api = self.api.traced(trace);
        fail::point("worker.before_claim");
        let sent = self.clock.monotonic();
        let claim = api.claim(task).await;
        fail::point("worker.after_claim");
        let settled = match &claim {
            Err(error) if error.is_retryable() => dispatch.release(OFFER_AGAIN).await,
            _ => dispatch.acknowledge().await,
        };
        if let Err(error) = settled {
            tracing::warn!(%error, %task, "a dispatch could not be settled; it comes again, and only a claim decides");
        }
        match claim {
            Ok(ClaimReply::Won(claimed)) => {
                let span = tracing::info_span!("task", %task, epoch = claimed.epoch, trace = %trace);
                Box::pin(self.hold(api, *claimed, sent, shutdown)).instrument(span).await;
            }
            Ok(ClaimReply::NotQueued) => tracing::debug!(%task, "another worker has it"),
            Err(error) => refused(task, &error),
        }
    }

    /// Runs a claimed task for as long as its lease is held.
    async fn hold(
        &self,
        api: Api,
        claimed: ClaimedTask,
        sent: std::time::Instant,
        shutdown: &CancellationToken,
    ) {
        let api = Trace::parse(&claimed.traceparent).map_or_else(|| api.clone(), |trace| api.traced(trace));
        let usage = Usage::start(self.clock.clone());
        let holding = Holding {
            task: claimed.task,
            epoch: claimed.epoch,
            lease: Lease::new(sent, Duration::from_millis(claimed.lease_ms)),
            interval: self.config.renew_interval(),
            usage: usage.clone(),
            clock: self.clock.clone(),
        };
        let keeper = Keeper::start(api.clone(), holding);
        tracing::info!(kind = self.workload.kind().as_str(), "claimed");
        let folder =
            match tempfile::Builder::new().prefix("task-").tempdir_in(self.config.work_dir.join("run")) {
                Ok(folder) => folder,
                Err(error) => {
                    // The lease runs out, and the task goes to a worker that has a disk.
                    tracing::error!(%error, "no folder can be made to work in");
                    return;
                }
            };
        let session = Session {
            api,
            bus: self.bus.clone(),
            store: self.store.clone(),
            config: self.config.clone(),
            workload: self.workload.clone(),
            clock: self.clock.clone(),
            cache: self.cache.clone(),
            task: claimed,
            usage,
            orders: keeper.orders(),
            shutdown: shutdown.clone(),
            folder: folder.path().to_owned(),
        };
        let ended = tokio::select! {
            biased;
            () = keeper::lost(keeper.orders()) => Err(WorkerError::LeaseLost),
            ended = Box::pin(session.run()) => ended,
        };
        match ended {
            Ok(()) => {}
            Err(WorkerError::LeaseLost) => tracing::warn!("the lease is lost: everything was dropped"),
            Err(error) => {
                tracing::error!(%error, "the task's end could not be reported; its lease will run out");
            }
        }
    }
}

fn refused(task: anneal_domain::id::TaskId, error: &RequestError) {
    tracing::warn!(%error, %task, "the claim was not answered");
}

/// Makes the folder this worker's own, and removes what an earlier one left running.
fn take_folder(folder: &Path) -> Result<File, WorkerError> {
    let run = folder.join("run");
    fs::create_dir_all(folder).map_err(WorkerError::local(folder))?;
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(WorkerError::local(&path))?;
    lock.try_lock().map_err(|error| WorkerError::local(&path)(error.into()))?;
    if run.exists() {
        fs::remove_dir_all(&run).map_err(WorkerError::local(&run))?;
    }
    fs::create_dir_all(&run).map_err(WorkerError::local(&run))?;
    Ok(lock)
}
