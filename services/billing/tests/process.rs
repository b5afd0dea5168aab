//! The real service on a real broker: its answers, its faults, its audit.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use anneal_bus::{Bus, BusConfig, RequestError};
use anneal_contracts::{
    Envelope, Trace,
    event::{AnyTaskEvent, RequeueReason, TaskClaimed, TaskEvent, TaskFinished, TaskQueued, TaskRequeued},
    rpc::{
        AuditReply, AuditRequest, BalanceReply, BalanceRequest, BillReply, BillRequest, Done, LedgerReply,
        LedgerRequest, PlaceHold, PlaceHoldReply, PricesReply, QuoteReply, QuoteRequest, ReleaseHold, TopUp,
    },
    subject::{self, rpc},
    usage::UsageReported,
};
use anneal_domain::{
    Microcredits,
    id::{EventId, TaskId, WorkerId, WorkspaceId},
    spec::{Pool, TaskKind},
    task::TaskState,
};
use anneal_runtime::clock::rfc3339;
use anneal_testkit::{Nats, eventually};
use serde::{Serialize, de::DeserializeOwned};

const LONG: Duration = Duration::from_secs(60);
/// A time of day for the facts; their distances are what counts.
const START: i64 = 1_800_000_000_000;

struct World {
    nats: Nats,
    bus: Bus,
    folder: tempfile::TempDir,
    service: Child,
    workspace: WorkspaceId,
}

impl World {
    async fn start() -> Self {
        let nats = Nats::start().await;
        let bus = Bus::connect(&BusConfig::anonymous(nats.url()), "test").await.unwrap();
        bus.ensure_streams().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let service = spawn(&nats, &folder, "");
        Self { nats, bus, folder, service, workspace: WorkspaceId::new() }
    }

    fn restart(&mut self, failpoints: &str) {
        self.service.kill().unwrap();
        self.service.wait().unwrap();
        self.service = spawn(&self.nats, &self.folder, failpoints);
    }

    async fn ask<T: Serialize, R: DeserializeOwned>(&self, subject: &str, body: &T) -> R {
        self.try_ask(subject, body).await.unwrap()
    }

    /// Asks until somebody answers: the service may be starting.
    async fn try_ask<T: Serialize, R: DeserializeOwned>(
        &self,
        subject: &str,
        body: &T,
    ) -> Result<R, RequestError> {
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            match self.bus.request_within(LONG, subject, Trace::fresh(), body).await {
                Err(RequestError::Unavailable(_)) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
    }

    fn quote(&self) -> QuoteRequest {
        QuoteRequest {
            workspace: self.workspace,
            kind: TaskKind::Training,
            pool: Pool::Fast,
            expected_ms: [60_000, 900_000],
            free: false,
            by_estimate: false,
        }
    }

    async fn balance(&self) -> BalanceReply {
        self.ask(rpc::BALANCE, &BalanceRequest { workspace: self.workspace }).await
    }

    async fn bill(&self, task: TaskId) -> BillReply {
        self.ask(rpc::BILL, &BillRequest { workspace: self.workspace, task }).await
    }

    fn envelope(&self, id: EventId, kind: &str, task: TaskId, at_ms: i64) -> Envelope {
        Envelope {
            id,
            kind: kind.to_owned(),
            source: "/test".to_owned(),
            subject: task.to_string(),
            time: rfc3339(START + at_ms),
            workspace: self.workspace,
            epoch: 1,
            seq: 1,
            trace: Trace::fresh(),
        }
    }

    async fn event(&self, task: TaskId, at_ms: i64, event: TaskEvent) {
        let envelope = self.envelope(EventId::new(), event.ce_type(), task, at_ms);
        let subject = subject::event(self.workspace, task);
        self.bus.publish(&subject, &envelope, &AnyTaskEvent::from(event)).await.unwrap();
    }

    async fn used(&self, task: TaskId, epoch: u64, running_ms: i64, at_ms: i64) {
        let usage = UsageReported {
            task,
            kind: TaskKind::Training,
            pool: Pool::Fast,
            epoch,
            seq: 1,
            running_ms,
            rate_per_hour: Microcredits(6_000_000),
            last: false,
        };
        let envelope = self.envelope(EventId::new(), UsageReported::TYPE, task, at_ms);
        self.bus.publish(&subject::usage(self.workspace, task), &envelope, &usage).await.unwrap();
    }

    async fn claimed(&self, task: TaskId, epoch: u64, at_ms: i64) {
        let rate_per_hour = Microcredits(6_000_000);
        let claim = TaskClaimed { task, worker: WorkerId::new(), epoch, rate_per_hour, resume_from: None };
        self.event(task, at_ms, TaskEvent::Claimed(claim)).await;
    }

    async fn queued(&self, task: TaskId, hold: &PlaceHoldReply) {
        let queued = TaskQueued {
            task,
            kind: TaskKind::Training,
            pool: Pool::Fast,
            name: "t".to_owned(),
            hold: hold.hold,
            held: hold.held,
        };
        self.event(task, 0, TaskEvent::Queued(queued)).await;
    }

    async fn finished(&self, task: TaskId, epoch: u64, running_ms: i64, at_ms: i64) {
        let finished = TaskFinished {
            task,
            kind: TaskKind::Training,
            epoch,
            state: TaskState::Succeeded,
            failure: None,
            figures: serde_json::Map::new(),
            artifacts: vec![],
            model: None,
            checkpoint: None,
            running_ms,
        };
        self.event(task, at_ms, TaskEvent::Finished(Box::new(finished))).await;
    }

    async fn audited(&self) -> AuditReply {
        let audit: AuditReply = self.ask(rpc::AUDIT, &AuditRequest { workspace: self.workspace }).await;
        assert_eq!(audit.difference, Microcredits::ZERO, "{audit:?}");
        audit
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.service.kill().ok();
        self.service.wait().ok();
    }
}

fn spawn(nats: &Nats, folder: &tempfile::TempDir, failpoints: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_anneal-billing"))
        .arg("serve")
        .env("ANNEAL_BILLING_NATS__URL", nats.url())
        .env("ANNEAL_BILLING_DATABASE__URL", format!("sqlite://{}/b.db?mode=rwc", folder.path().display()))
        .env("ANNEAL_BILLING_UNCLAIMED_HOLD_MS", "1500")
        .env("ANNEAL_BILLING_WATCH_MS", "200")
        .env("ANNEAL_FAILPOINTS", failpoints)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_quoted_held_metered_captured_and_released_through_crashes() {
    let mut world = World::start().await;
    let prices: PricesReply = world.ask(rpc::PRICES, &Done {}).await;
    assert_eq!(prices.prices.len(), 6);
    let quote: QuoteReply = world.ask(rpc::QUOTE, &world.quote()).await;
    assert_eq!(quote.range, [Microcredits(100_000), Microcredits(1_500_000)]);
    assert_eq!(quote.available, Microcredits(100_000_000), "the grant");

    let task = TaskId::new();
    let place = PlaceHold { task, quote: world.quote() };
    let hold: PlaceHoldReply = world.ask(rpc::PLACE_HOLD, &place).await;
    let again: PlaceHoldReply = world.ask(rpc::PLACE_HOLD, &place).await;
    assert_eq!(hold, again);
    assert_eq!(world.balance().await.held, Microcredits(1_500_000));

    // Usage overtakes the events, and billing is killed after a commit, and inside a transaction.
    world.restart("billing.after_tx_before_ack=kill@1");
    world.used(task, 1, 60_000, 70_000).await;
    assert!(!world.service.wait().unwrap().success());
    world.restart("billing.mid_tx=kill@1");
    world.queued(task, &hold).await;
    assert!(!world.service.wait().unwrap().success());
    world.restart("");
    world.claimed(task, 1, 5_000).await;
    let captured = |amount: i64| {
        let world = &world;
        move || async move { world.bill(task).await.captured == Microcredits(amount) }
    };
    eventually(LONG, captured(100_000)).await;
    let requeued = TaskRequeued {
        task,
        epoch: 1,
        reason: RequeueReason::LeaseExpired,
        state: TaskState::Queued,
        kept_ms: 36_000,
        charged_ms: 60_000,
    };
    world.event(task, 120_000, TaskEvent::Requeued(requeued)).await;
    world.claimed(task, 2, 130_000).await;
    world.used(task, 2, 30_000, 165_000).await;
    world.finished(task, 2, 48_000, 180_000).await;
    eventually(LONG, || async { world.bill(task).await.closed }).await;
    eventually(LONG, || async {
        world.audited().await.rows.iter().any(|row| row.charged == Microcredits(140_000))
    })
    .await;
    let stranger = AuditRequest { workspace: WorkspaceId::new() };
    let seen: AuditReply = world.ask(rpc::AUDIT, &stranger).await;
    assert!(seen.rows.is_empty(), "a workspace sees no other's charges");
    let bill = world.bill(task).await;
    assert_eq!(bill.running_ms, 84_000);
    assert_eq!(bill.credited, Microcredits(40_000));
    assert_eq!(bill.captured.0 - bill.credited.0, 140_000);
    assert_eq!(bill.released.0, bill.held.0 - 140_000);
    let balance = world.balance().await;
    assert_eq!(balance.available, Microcredits(100_000_000 - 140_000));
    assert_eq!((balance.held, balance.spent), (Microcredits::ZERO, Microcredits(140_000)));
    let page = LedgerRequest { workspace: world.workspace, after: 0, limit: 1000 };
    let ledger: LedgerReply = world.ask(rpc::LEDGER, &page).await;
    assert_eq!(ledger.sum, Microcredits::ZERO);

    // The broker loses everything: the books stand, and the audit falls back on billing's own journal.
    world.nats.wipe().await;
    world.restart("");
    world.audited().await;
    assert_eq!(world.bill(task).await.captured, bill.captured);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_why_and_unclaimed_holds_come_back() {
    let world = World::start().await;
    let mut large = world.quote();
    large.expected_ms = [0, 3_600_000_000];
    let place = PlaceHold { task: TaskId::new(), quote: large.clone() };
    let refused = world.try_ask::<_, PlaceHoldReply>(rpc::PLACE_HOLD, &place).await;
    let Err(RequestError::Refused(refusal)) = refused else { panic!("not refused") };
    assert_eq!(refusal.code, "insufficient_balance");

    let top_up =
        TopUp { workspace: world.workspace, amount: Microcredits(6_000_000_000), key: "=1+1".to_owned() };
    for _ in 0..2 {
        let balance: BalanceReply = world.ask(rpc::TOP_UP, &top_up).await;
        assert_eq!(balance.available, Microcredits(6_100_000_000));
    }
    let other = TopUp { amount: Microcredits(5), ..top_up };
    let refused = world.try_ask::<_, BalanceReply>(rpc::TOP_UP, &other).await;
    assert!(matches!(refused, Err(RequestError::Refused(refusal)) if refusal.code == "conflict"));

    let task = TaskId::new();
    let _: PlaceHoldReply = world.ask(rpc::PLACE_HOLD, &PlaceHold { task, quote: large }).await;
    assert_eq!(world.balance().await.available, Microcredits(100_000_000));
    eventually(LONG, || async { world.balance().await.available == Microcredits(6_100_000_000) }).await;

    let released = TaskId::new();
    let hold: PlaceHoldReply =
        world.ask(rpc::PLACE_HOLD, &PlaceHold { task: released, quote: world.quote() }).await;
    let _: Done = world.ask(rpc::RELEASE_HOLD, &ReleaseHold { task: released }).await;
    assert_eq!(world.balance().await.held, Microcredits::ZERO);
    // The task was committed after all: it is charged all the same.
    world.queued(released, &hold).await;
    world.claimed(released, 1, 1_000).await;
    world.finished(released, 1, 60_000, 70_000).await;
    eventually(LONG, || async { world.balance().await.spent == Microcredits(100_000) }).await;
    world.audited().await;

    let stranger = BillRequest { workspace: WorkspaceId::new(), task };
    let refused = world.try_ask::<_, BillReply>(rpc::BILL, &stranger).await;
    assert!(matches!(refused, Err(RequestError::Refused(refusal)) if refusal.code == "not_found"));
}
