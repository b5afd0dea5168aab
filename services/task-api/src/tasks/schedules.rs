//! Random schedules of claims, renewals, checkpoints, finishes, verbs, reaping and sweeping, held against the invariants:
//! a terminal state is immutable, a stale epoch has no effect, charged time never exceeds leased time, epochs only grow.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anneal_contracts::{
    Trace,
    event::{Artifact, RequeueReason},
    rpc::{
        ClaimReply, ClaimTask, CommitCheckpoint, FinishTask, PlaceHoldReply, RejectCheckpoint, RenewLease,
    },
};
use anneal_domain::{
    Microcredits, Name,
    id::{CheckpointId, RequestId, TaskId, WorkerId, WorkspaceId},
    task::{TaskState, Verb},
};
use anneal_runtime::clock::{Clock, ManualClock};
use anneal_store::{Sql, Store, TimeSource, Tx};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use super::{NewTask, Resolved};
use crate::{Error, store::TaskRow, tasks};

const LEASE_MS: i64 = 45_000;
const CASES: u32 = 2000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Claim(usize),
    ClaimAgain,
    /// A worker acts under the newest lease it ever won, which may be long lost.
    Renew(usize, i64),
    Checkpoint(usize),
    Finish(usize, TaskState),
    FinishAgain,
    Ask(Verb),
    Reap,
    Sweep,
    Wait(u64),
    /// The database's clock is set back.
    SetBack(i64),
    /// A worker finds the newest checkpoint damaged.
    Reject(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![Just(Verb::Pause), Just(Verb::Resume), Just(Verb::Stop), Just(Verb::Cancel)];
    let outcome = proptest::sample::select(vec![
        TaskState::Succeeded,
        TaskState::Failed,
        TaskState::Stopped,
        TaskState::Cancelled,
        TaskState::Paused,
        TaskState::Queued,
    ]);
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Claim),
        1 => Just(Step::ClaimAgain),
        4 => (0..3_usize, 0..200_000_i64).prop_map(|(worker, ms)| Step::Renew(worker, ms)),
        2 => (0..3_usize).prop_map(Step::Checkpoint),
        1 => (0..3_usize, outcome).prop_map(|(worker, outcome)| Step::Finish(worker, outcome)),
        1 => Just(Step::FinishAgain),
        1 => verb.prop_map(Step::Ask),
        3 => Just(Step::Reap),
        1 => Just(Step::Sweep),
        3 => (0..60_000_u64).prop_map(Step::Wait),
        1 => (0..7_200_000_i64).prop_map(Step::SetBack),
        1 => (0..3_usize).prop_map(Step::Reject),
    ]
}

struct World {
    store: Store,
    clock: ManualClock,
}

struct Schedule<'a> {
    world: &'a World,
    workspace: WorkspaceId,
    task: TaskId,
    workers: [WorkerId; 3],
    /// The newest epoch each worker won.
    held: BTreeMap<usize, u64>,
    last_claim: Option<(ClaimTask, u64)>,
    last_finish: Option<FinishTask>,
    /// Every epoch that its worker finished: saying so again is no news, whatever happened since.
    finished: BTreeSet<u64>,
    seq: u64,
    /// True time, which is never set back: how long it has gone on, and when the newest epoch began.
    elapsed_ms: i64,
    claimed_ms: i64,
    /// Leases lost since the last checkpoint, and whether the newest epoch has left one.
    lost: i64,
    kept: bool,
}

async fn world(folder: &std::path::Path) -> World {
    let clock = ManualClock::at(1_700_000_000_000);
    let url = format!("sqlite://{}?mode=rwc", folder.join("tasks.db").display());
    let store = Store::connect_with(&url, TimeSource::Clock(Arc::new(clock.clone()))).await.unwrap();
    store.migrate(crate::store::migrations).await.unwrap();
    World { store, clock }
}

fn spec() -> anneal_domain::spec::TaskSpec {
    tasks::read_spec(json!({
        "kind": "training", "task_type": "sft", "method": "lora",
        "model": "model-00000000000000000000000000000001", "dataset": "ds-00000000000000000000000000000001"
    }))
    .spec
    .unwrap()
}

impl<'a> Schedule<'a> {
    async fn begin(world: &'a World) -> Self {
        let (workspace, task) = (WorkspaceId::new(), TaskId::new());
        let new = NewTask {
            id: task,
            workspace,
            name: Name::try_from("one".to_owned()).unwrap(),
            description: String::new(),
            spec: spec(),
            resolved: Resolved::default(),
            hold: PlaceHoldReply {
                hold: None,
                held: Microcredits(0),
                rate_per_hour: Microcredits(3_600_000),
            },
            trace: Trace::fresh(),
            created_by: "test".to_owned(),
        };
        let begun = world.store.transaction(move |tx| async move {
            // What earlier schedules left would be reaped and swept again and again.
            for table in ["tasks", "checkpoints", "models", "outbox", "finishes", "artifacts", "epochs"] {
                tx.run(&format!("DELETE FROM {table}"), []).await?;
            }
            tasks::insert(&tx, new).await
        });
        begun.await.unwrap();
        let workers = [WorkerId::new(), WorkerId::new(), WorkerId::new()];
        Self {
            world,
            workspace,
            task,
            workers,
            held: BTreeMap::new(),
            last_claim: None,
            last_finish: None,
            finished: BTreeSet::new(),
            seq: 0,
            elapsed_ms: 0,
            claimed_ms: 0,
            lost: 0,
            kept: false,
        }
    }

    async fn row(&self) -> TaskRow {
        TaskRow::find_in(self.world.store.read(), self.workspace, self.task).await.unwrap()
    }

    async fn run<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        self.world.store.transaction(work).await
    }

    /// Whether the worker's newest epoch holds the lease by rights.
    fn holds(&self, row: &TaskRow, worker: usize) -> bool {
        self.held.get(&worker).is_some_and(|epoch| {
            row.is_held_by(*epoch, &self.workers[worker].to_string(), self.world.clock.unix_ms()).unwrap()
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm a step; each is read alone")]
    async fn take(&mut self, step: Step) {
        let before = self.row().await;
        let task = self.task;
        match step {
            Step::Claim(worker) => {
                let ask = ClaimTask { task, worker: self.workers[worker], request: RequestId::new() };
                let asked = ask.clone();
                let reply =
                    self.run(|tx| async move { tasks::claim(&tx, &asked, LEASE_MS).await }).await.unwrap();
                let won = matches!(reply, ClaimReply::Won(_));
                assert_eq!(won, before.state == "queued", "only a queued task is won");
                if let ClaimReply::Won(claimed) = reply {
                    assert_eq!(claimed.epoch, before.epoch() + 1);
                    self.held.insert(worker, claimed.epoch);
                    self.last_claim = Some((ask, claimed.epoch));
                }
            }
            Step::ClaimAgain => {
                let Some((ask, epoch)) = self.last_claim.clone() else { return };
                let held =
                    before.is_held_by(epoch, &ask.worker.to_string(), self.world.clock.unix_ms()).unwrap();
                let reply =
                    self.run(|tx| async move { tasks::claim(&tx, &ask, LEASE_MS).await }).await.unwrap();
                match reply {
                    ClaimReply::Won(claimed) if held => {
                        assert_eq!(claimed.epoch, epoch, "one claim, one epoch");
                    }
                    // The lease was lost and the task waits again: the retry is a claim like any other.
                    ClaimReply::Won(claimed) => {
                        assert_eq!(before.state, "queued");
                        let (ask, _) = self.last_claim.clone().unwrap();
                        let worker = self.workers.iter().position(|worker| *worker == ask.worker).unwrap();
                        self.held.insert(worker, claimed.epoch);
                        self.last_claim = Some((ask, claimed.epoch));
                    }
                    ClaimReply::NotQueued => assert!(!held),
                }
            }
            Step::Renew(worker, running_ms) => {
                let Some(epoch) = self.held.get(&worker).copied() else { return };
                self.seq += 1;
                let ask = RenewLease { task, worker: self.workers[worker], epoch, seq: self.seq, running_ms };
                let held = self.holds(&before, worker);
                let reply = self.run(|tx| async move { tasks::renew(&tx, &ask, LEASE_MS).await }).await;
                self.effect(held, &before, reply).await;
            }
            Step::Checkpoint(worker) => {
                let Some(epoch) = self.held.get(&worker).copied() else { return };
                self.seq += 1;
                let ask = CommitCheckpoint {
                    task,
                    worker: self.workers[worker],
                    epoch,
                    checkpoint: CheckpointId::new(),
                    step: self.seq,
                    prefix: format!("{}/task/{task}/checkpoint/{}", self.workspace, self.seq),
                    manifest_sha256: "00".to_owned(),
                    size_bytes: 1,
                    running_ms: 1,
                    best: false,
                };
                let held = self.holds(&before, worker);
                let reply = self.run(|tx| async move {
                    tasks::commit_checkpoint(&tx, &ask).await?;
                    // Committing it twice is committing it once.
                    tasks::commit_checkpoint(&tx, &ask).await
                });
                let reply = reply.await;
                self.effect(held, &before, reply).await;
                if held {
                    (self.lost, self.kept) = (0, true);
                }
            }
            Step::Reject(worker) => {
                let Some(epoch) = self.held.get(&worker).copied() else { return };
                let newest = self.usable().await;
                let Some(checkpoint) = newest else { return };
                let ask = RejectCheckpoint {
                    task,
                    worker: self.workers[worker],
                    epoch,
                    checkpoint,
                    reason: "damaged".to_owned(),
                };
                let held = self.holds(&before, worker);
                let reply = self.run(|tx| async move { tasks::reject_checkpoint(&tx, &ask).await }).await;
                self.effect(held, &before, reply).await;
                assert_eq!(self.usable().await == Some(checkpoint), !held);
            }
            Step::Finish(worker, outcome) => {
                let Some(epoch) = self.held.get(&worker).copied() else { return };
                let ask = self.finish_of(worker, epoch, outcome);
                let held = self.holds(&before, worker);
                let asked = ask.clone();
                let reply = self.run(|tx| async move { tasks::finish(&tx, &asked).await }).await;
                if self.finished.contains(&epoch) {
                    reply.unwrap();
                    assert_eq!(self.row().await.state, before.state, "a second finish changes nothing");
                } else {
                    self.effect(held, &before, reply).await;
                    if held {
                        self.finished.insert(epoch);
                        self.last_finish = Some(ask);
                    }
                }
            }
            Step::FinishAgain => {
                let Some(ask) = self.last_finish.clone() else { return };
                self.run(|tx| async move { tasks::finish(&tx, &ask).await }).await.unwrap();
                assert_eq!(self.row().await.event_seq, before.event_seq, "a repeated finish says nothing");
            }
            Step::Ask(verb) => {
                let workspace = self.workspace;
                let asked = self.run(move |tx| async move {
                    let row = TaskRow::lock_in(&tx, workspace, task).await?;
                    tasks::request(&tx, row, verb, "").await
                });
                let allowed = before.state().unwrap().request(verb);
                match asked.await {
                    Ok(row) => assert_eq!(row.state().unwrap(), allowed.unwrap()),
                    Err(error) => {
                        assert!(matches!(error, Error::Conflict(_)) && allowed.is_err(), "{verb:?}: {error}");
                    }
                }
            }
            Step::Reap => {
                let now = self.world.clock.unix_ms();
                let due = tasks::expired(self.world.store.read(), now).await.unwrap();
                let mine = due.contains(&task);
                assert_eq!(mine, before.lease_until_ms > 0 && before.lease_until_ms <= now);
                for task in due {
                    self.run(move |tx| async move { tasks::expire(&tx, task).await }).await.unwrap();
                }
                if mine {
                    self.lost += i64::from(!self.kept);
                    let given_up = before.state == "running" && self.lost >= tasks::MOST_LOST_LEASES;
                    assert_eq!(self.row().await.state == "failed", given_up, "{} leases lost", self.lost);
                }
                for task in tasks::too_long(self.world.store.read(), now, LEASE_MS).await.unwrap() {
                    self.run(move |tx| async move { tasks::shorten(&tx, task, LEASE_MS).await })
                        .await
                        .unwrap();
                }
                assert!(
                    self.row().await.lease_until_ms <= now + 2 * LEASE_MS,
                    "a dead worker's task is stranded"
                );
            }
            Step::Sweep => {
                let before_ms = self.world.clock.unix_ms() - 60_000;
                let queues = tasks::queues(self.world.store.read()).await.unwrap();
                assert_eq!(
                    queues.iter().map(|queue| queue.queued).sum::<u64>() == 1,
                    before.state == "queued"
                );
                let mut due = Vec::new();
                for queue in &queues {
                    let read = self.world.store.read();
                    due.extend(tasks::unclaimed(read, queue, before_ms, queue.queued).await.unwrap());
                }
                let waited = before.state == "queued" && before.dispatched_at_ms < before_ms;
                assert_eq!(due.contains(&task), waited);
                for task in due {
                    self.run(move |tx| async move { tasks::dispatch_again(&tx, task, before_ms).await })
                        .await
                        .unwrap();
                }
            }
            Step::Wait(ms) => {
                self.elapsed_ms += i64::try_from(ms).unwrap();
                self.world.clock.advance(Duration::from_millis(ms));
            }
            Step::SetBack(ms) => self.world.clock.set_unix_ms(self.world.clock.unix_ms() - ms),
        }
        self.check(&before).await;
    }

    fn finish_of(&self, worker: usize, epoch: u64, outcome: TaskState) -> FinishTask {
        let prefix = format!("{}/task/{}/artifact/{epoch}/adapter", self.workspace, self.task);
        let artifact =
            Artifact { role: "adapter".to_owned(), prefix, manifest_sha256: "00".to_owned(), size_bytes: 1 };
        FinishTask {
            task: self.task,
            worker: self.workers[worker],
            epoch,
            seq: self.seq + 1,
            running_ms: 5,
            outcome,
            requeue: (outcome == TaskState::Queued).then_some(RequeueReason::WorkerShutdown),
            failure: None,
            figures: serde_json::Map::new(),
            artifacts: vec![artifact],
        }
    }

    /// Who holds the lease has an effect; everybody else is fenced and has none.
    async fn effect<T: std::fmt::Debug>(&self, held: bool, before: &TaskRow, reply: Result<T, Error>) {
        if held {
            reply.unwrap();
        } else {
            assert!(matches!(reply, Err(Error::Fenced)), "{reply:?}");
            assert_eq!(
                format!("{:?}", self.row().await),
                format!("{before:?}"),
                "a stale epoch had an effect"
            );
        }
    }

    /// The newest checkpoint that is not known to be damaged.
    async fn usable(&self) -> Option<CheckpointId> {
        let kept = tasks::checkpoints_of(self.world.store.read(), self.task).await.unwrap();
        kept.iter().find(|row| row.rejected == 0).map(|row| row.id.parse().unwrap())
    }

    async fn check(&mut self, before: &TaskRow) {
        let after = self.row().await;
        if after.epoch != before.epoch {
            (self.claimed_ms, self.kept) = (self.elapsed_ms, false);
        }
        let (from, to) = (before.state().unwrap(), after.state().unwrap());
        assert!(!from.is_terminal() || from == to, "{from:?} became {to:?}");
        assert!(after.epoch >= before.epoch && after.epoch <= before.epoch + 1);
        assert_eq!(to.is_leased(), after.worker.is_some(), "a lease has a worker, and only a lease");
        assert_eq!(to.is_leased(), after.lease_until_ms > 0);
        assert!(
            after.running_ms <= self.elapsed_ms - self.claimed_ms,
            "more is charged than the lease lasted"
        );
        assert!(after.epoch != before.epoch || after.running_ms >= before.running_ms, "charged time fell");
        assert_eq!(to.is_terminal(), after.finished_at_ms.is_some());
        if to == TaskState::Cancelled {
            assert_eq!(after.model, None, "a cancelled task keeps no model");
        }
        if to == TaskState::Stopped && from != to && self.usable().await.is_some() {
            assert!(after.model.is_some(), "a stopped training keeps the model of its last checkpoint");
        }
        let kept = tasks::checkpoints_of(self.world.store.read(), self.task).await.unwrap().len();
        assert!(kept <= 4, "{kept} checkpoints are kept: three to go on from, and the best");
        let models = "SELECT COUNT(*) AS n FROM models WHERE task = $1";
        let models = self.world.store.read().row(models, [after.id.clone().into()]).await.unwrap().unwrap();
        assert_eq!(models.try_get::<i64>("", "n").unwrap(), i64::from(after.model.is_some()));
    }
}

#[test]
fn no_schedule_breaks_an_invariant() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let world = runtime.block_on(world(folder.path()));
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..30);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let mut schedule = Schedule::begin(&world).await;
            for step in steps {
                schedule.take(step).await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_task_that_kills_its_workers_is_given_up_unless_they_get_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    for checkpoints in [false, true] {
        let mut schedule = Schedule::begin(&world).await;
        for _ in 0..tasks::MOST_LOST_LEASES {
            assert_eq!(schedule.row().await.state, "queued");
            schedule.take(Step::Claim(0)).await;
            if checkpoints {
                schedule.take(Step::Checkpoint(0)).await;
            }
            schedule.take(Step::Wait(LEASE_MS.unsigned_abs())).await;
            schedule.take(Step::Reap).await;
        }
        let row = schedule.row().await;
        assert_eq!(row.state, if checkpoints { "queued" } else { "failed" });
        assert_eq!(row.failure.is_some_and(|failure| failure.contains("workers_lost")), !checkpoints);
    }
}
