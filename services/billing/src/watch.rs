//! What nobody tells billing to do: ask tasks to pause whose money ran out, give back holds that no task stands behind.

use std::time::Duration;

use anneal_bus::{Bus, RequestError};
use anneal_contracts::{
    Trace,
    rpc::{Done, PauseTask},
    subject::rpc,
};
use anneal_domain::id::TaskId;
use anneal_runtime::tasks::Supervisor;
use anneal_store::inbox;

use crate::{Billing, Error, store};

/// How often messages are forgotten that no stream can bring again.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// No stream that billing reads keeps a message for longer; an outbox sends one again for a day more.
const SEEN_FOR_MS: i64 = 405 * 24 * 3_600_000;

/// Looks every `period` until shutdown.
pub(crate) fn spawn(billing: &Billing, bus: &Bus, tasks: &Supervisor, period: Duration) {
    forget_old(billing, tasks);
    let (billing, bus, stop) = (billing.clone(), bus.clone(), tasks.shutdown());
    tasks.spawn("watch", async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok::<_, Error>(()),
                () = tokio::time::sleep(period) => {}
            }
            if let Err(error) = billing.look(&bus).await {
                tracing::warn!(%error, "billing could not look after its holds; trying again");
            }
        }
    });
}

/// Keeps the inbox from growing for ever.
fn forget_old(billing: &Billing, tasks: &Supervisor) {
    let (billing, stop) = (billing.clone(), tasks.shutdown());
    tasks.spawn("forget-old", async move {
        loop {
            let forgotten = billing.store.transaction(|tx| async move {
                let before = tx.now_ms().await?.saturating_sub(SEEN_FOR_MS);
                inbox::prune(&tx, before).await
            });
            if let Err(error) = forgotten.await {
                tracing::warn!(%error, "old messages could not be forgotten; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return Ok::<_, Error>(()),
                () = tokio::time::sleep(FORGET_EVERY) => {}
            }
        }
    });
}

impl Billing {
    async fn look(&self, bus: &Bus) -> Result<(), Error> {
        let asked = self.ask_to_pause(bus).await;
        let lapsed = self.lapse_overdue().await;
        asked.and(lapsed)
    }

    async fn ask_to_pause(&self, bus: &Bus) -> Result<(), Error> {
        for task in store::wanting_pause(self.store.read()).await? {
            ask_to_pause(bus, task).await;
        }
        Ok(())
    }

    /// Gives back the holds that have waited too long for their task.
    pub async fn lapse_overdue(&self) -> Result<(), Error> {
        let before = self.store.now_ms().await?.saturating_sub(self.settings.unclaimed_hold_ms);
        for task in store::overdue_holds(self.store.read(), before).await? {
            let billing = self.clone();
            let lapsed = self.store.transaction(move |tx| async move {
                let workspace = store::load_for_task(&*tx, task).await?.workspace;
                store::lock(&tx, vec![workspace]).await?;
                billing.lapse(&tx, task).await
            });
            match lapsed.await {
                Ok(true) => tracing::info!(%task, "a hold that no task stands behind was given back"),
                Ok(false) => {}
                // One bill that cannot be read holds up no other.
                Err(error) => tracing::error!(%error, %task, "a hold could not be given back"),
            }
        }
        Ok(())
    }
}

/// Asked again at every look until a fact says that the task no longer runs; asking twice changes nothing.
async fn ask_to_pause(bus: &Bus, task: TaskId) {
    let request = PauseTask { task, reason: "balance exhausted".to_owned() };
    match bus.request::<_, Done>(rpc::PAUSE_TASK, Trace::fresh(), &request).await {
        Ok(Done {}) => tracing::info!(%task, "asked to pause: its hold cannot be extended"),
        Err(RequestError::Refused(refusal)) => tracing::warn!(%task, %refusal, "will not pause"),
        Err(error) => tracing::warn!(%task, %error, "could not be asked to pause; trying again"),
    }
}
