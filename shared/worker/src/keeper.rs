//! Keeps one lease: renews it, reports running time, and learns what is wanted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anneal_bus::RequestError;
use anneal_contracts::rpc::RenewLease;
use anneal_domain::{id::TaskId, task::Wanted};
use anneal_runtime::{clock::SharedClock, tasks};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{Lease, api::Api};

/// How soon a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long one renewal waits for its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What the session must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The lease holds, and this is wanted.
    Held(Wanted),
    /// Kill the engine, drop everything.
    Lost,
}

/// Running time under one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    clock: SharedClock,
    start: Instant,
    seq: Arc<AtomicU64>,
}

impl Usage {
    pub(crate) fn start(clock: SharedClock) -> Self {
        let start = clock.monotonic();
        Self { clock, start, seq: Arc::default() }
    }

    /// The next report: its place, and milliseconds run so far.
    pub(crate) fn report(&self) -> (u64, i64) {
        (self.seq.fetch_add(1, Ordering::SeqCst) + 1, self.running_ms())
    }

    pub(crate) fn running_ms(&self) -> i64 {
        let run = self.clock.monotonic().saturating_duration_since(self.start);
        i64::try_from(run.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What is to be kept.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) task: TaskId,
    pub(crate) epoch: u64,
    pub(crate) lease: Lease,
    pub(crate) interval: Duration,
    pub(crate) usage: Usage,
    pub(crate) clock: SharedClock,
}

/// A kept lease; it is let go when dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: watch::Receiver<Order>,
    _task: AbortOnDropHandle<Option<()>>,
}

impl Keeper {
    pub(crate) fn start(api: Api, holding: Holding) -> Self {
        let (say, orders) = watch::channel(Order::Held(Wanted::Run));
        let task = tasks::spawn("worker.keeper", async move {
            keep(api, holding, &say).await;
            say.send_replace(Order::Lost);
        });
        Self { orders, _task: AbortOnDropHandle::new(task) }
    }

    /// What must be done now and from here on.
    pub(crate) fn orders(&self) -> watch::Receiver<Order> {
        self.orders.clone()
    }
}

/// Waits until the lease is lost.
pub(crate) async fn lost(mut orders: watch::Receiver<Order>) {
    // The keeper went away: nobody renews any more.
    drop(orders.wait_for(|order| *order == Order::Lost).await);
}

/// Renews until the lease is lost.
async fn keep(api: Api, mut holding: Holding, say: &watch::Sender<Order>) {
    let mut pause = holding.interval;
    loop {
        let left = holding.lease.remaining(holding.clock.monotonic());
        tokio::time::sleep(pause.min(left)).await;
        let sent = holding.clock.monotonic();
        if holding.lease.is_lost(sent) {
            tracing::warn!(task = %holding.task, epoch = holding.epoch, "the lease ran out");
            return;
        }
        let (seq, running_ms) = holding.usage.report();
        let renewal =
            RenewLease { task: holding.task, worker: api.worker, epoch: holding.epoch, seq, running_ms };
        let wait = ANSWER_WAIT.min(holding.lease.remaining(sent));
        match api.renew(wait, &renewal).await {
            Ok(reply) => {
                holding.lease.renew(sent, Duration::from_millis(reply.lease_ms));
                say.send_if_modified(|order| {
                    let next = Order::Held(reply.wanted);
                    std::mem::replace(order, next) != next
                });
                pause = holding.interval;
            }
            Err(RequestError::Refused(refusal)) if refusal.is_fenced() => {
                tracing::warn!(task = %holding.task, epoch = holding.epoch, "the lease is another's");
                return;
            }
            // Whatever else went wrong there, the lease is ours until it runs out.
            Err(error) => {
                tracing::warn!(%error, task = %holding.task, "a renewal failed");
                pause = AGAIN;
            }
        }
    }
}
