//! The service: its database, its consumers, its answers.

use std::{sync::Arc, time::Duration};

use anneal_bus::{Bus, BusError, Request};
use anneal_contracts::{rpc::Refusal, subject::rpc};
use anneal_domain::{
    Microcredits,
    id::{EventId, TaskId, WorkspaceId},
};
use anneal_runtime::{CancellationToken, fail, tasks::Supervisor};
use anneal_store::{Store, TimeSource, Tx, inbox};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Config, Error, Prices, consume, handlers,
    ledger::{Account, Entry, Reason},
    metering::{Bill, Limits, TimedFact},
    store, watch,
};

/// How long tasks may take to end at shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Billing over its database; what every handler works with. Clones share it.
#[derive(Clone, Debug)]
pub struct Billing {
    /// The database.
    pub(crate) store: Store,
    pub(crate) settings: Arc<Settings>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) prices: Prices,
    pub(crate) limits: Limits,
    pub(crate) grant: Microcredits,
    pub(crate) unclaimed_hold_ms: i64,
}

impl Billing {
    /// Opens the books, and brings their schema up to date.
    pub async fn open(config: &Config, time: TimeSource) -> Result<Self, Error> {
        let store = Store::connect_with(&config.database.url, time).await?;
        store.migrate(store::migrations).await?;
        let settings = Settings {
            prices: config.prices,
            limits: config.limits,
            grant: config.grant_microcredits,
            unclaimed_hold_ms: config.unclaimed_hold_ms,
        };
        Ok(Self { store, settings: Arc::new(settings) })
    }

    /// Takes a fact into the books, once: the inbox row, the journal, the lease and the postings in this transaction.
    pub(crate) async fn apply(
        &self,
        tx: &Tx,
        consumer: &str,
        (event, workspace, fact): &(EventId, WorkspaceId, TimedFact),
    ) -> Result<(), Error> {
        if !inbox::once(tx, consumer, *event).await? {
            return Ok(());
        }
        let known = store::load(&**tx, fact.task).await?;
        let mut bill = known.unwrap_or_else(|| Bill::new(fact.task, *workspace));
        if bill.workspace != *workspace {
            return Err(Error::Message(format!("{} is not of workspace {workspace}", fact.task)));
        }
        self.first_sight(tx, *workspace).await?;
        store::record(tx, *event, *workspace, fact).await?;
        let changed = bill.learn(fact);
        self.settle(tx, &mut bill, &event.to_string()).await?;
        fail::point("billing.mid_tx");
        store::save(tx, &bill, changed).await
    }

    /// Brings the ledger to what the bill says; `cause` names what led to it.
    pub(crate) async fn settle(&self, tx: &Tx, bill: &mut Bill, cause: &str) -> Result<(), Error> {
        let available = store::balance(&**tx, Account::Available(bill.workspace)).await?;
        let movements = bill.settle(available, &self.settings.limits)?;
        for (n, movement) in movements.into_iter().enumerate() {
            let entry = Entry {
                operation: format!("{cause}/{n}/{}", movement.reason.as_str()),
                reason: movement.reason,
                workspace: bill.workspace,
                task: Some(bill.task),
                amount: movement.amount,
            };
            if !store::post(tx, &entry).await? {
                let taken = format!("operation {} was posted before", entry.operation);
                return Err(anneal_store::Error::Row(taken).into());
            }
        }
        Ok(())
    }

    /// Opens the accounts of a workspace that was never seen, with its grant.
    pub(crate) async fn first_sight(&self, tx: &Tx, workspace: WorkspaceId) -> Result<(), Error> {
        let is_new = store::open_workspace(tx, workspace).await?;
        if is_new && self.settings.grant > Microcredits::ZERO {
            let entry = Entry {
                operation: format!("grant/{workspace}"),
                reason: Reason::Grant,
                workspace,
                task: None,
                amount: self.settings.grant,
            };
            store::post(tx, &entry).await?;
        }
        Ok(())
    }

    /// Gives back what is left of a hold that no accepted task stands behind; whether there was one.
    pub(crate) async fn lapse(&self, tx: &Tx, task: TaskId) -> Result<bool, Error> {
        use crate::metering::State;
        let Some(mut bill) = store::load(&**tx, task).await? else { return Ok(false) };
        if bill.state != State::Placed {
            return Ok(false);
        }
        bill.state = State::Lapsed;
        self.settle(tx, &mut bill, &format!("lapse/{task}")).await?;
        store::save(tx, &bill, None).await?;
        Ok(true)
    }
}

/// Runs the service until `shutdown`.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let billing = Billing::open(&config, TimeSource::Database).await?;
    let bus = Bus::connect(&config.nats, "anneal-billing").await?;
    bus.ensure_streams().await?;
    let tasks = Supervisor::new(shutdown);
    answer(&billing, &bus, &tasks);
    consume::spawn(&billing, &bus, &tasks);
    watch::spawn(&billing, &bus, &tasks, Duration::from_millis(config.watch_ms));
    tracing::info!("ready");
    tasks.wait(GRACE).await?;
    Ok(())
}

fn answer(billing: &Billing, bus: &Bus, tasks: &Supervisor) {
    let to = Answers { billing, bus, tasks };
    to.request(rpc::QUOTE, handlers::quote);
    to.request(rpc::PLACE_HOLD, handlers::place_hold);
    to.request(rpc::RELEASE_HOLD, handlers::release_hold);
    to.request(rpc::BALANCE, handlers::balance);
    to.request(rpc::TOP_UP, handlers::top_up);
    to.request(rpc::BILL, handlers::bill);
    to.request(rpc::LEDGER, handlers::ledger);
    to.request(rpc::PRICES, handlers::prices);
    let bus = bus.clone();
    to.request(rpc::AUDIT, move |billing, request| handlers::audit(billing, bus.clone(), request));
}

struct Answers<'a> {
    billing: &'a Billing,
    bus: &'a Bus,
    tasks: &'a Supervisor,
}

impl Answers<'_> {
    fn request<T, R, F, Fut>(&self, subject: &'static str, handler: F)
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Billing, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Error>> + Send + 'static,
    {
        let (billing, bus, stop) = (self.billing.clone(), self.bus.clone(), self.tasks.shutdown());
        self.tasks.spawn(subject, async move {
            let handler = move |request: Request<T>| {
                let answer = handler(billing.clone(), request.body);
                async move { answer.await.map_err(|error| -> Refusal { error.into_refusal() }) }
            };
            bus.serve(subject, "billing", stop, handler).await.map_err(|error: BusError| error)
        });
    }
}
