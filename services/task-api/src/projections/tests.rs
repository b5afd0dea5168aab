//! A projection under loss, duplication and reordering equals its rebuild, in order, from the messages that were not lost.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use anneal_contracts::{
    Envelope, Trace,
    engine::Level,
    event::{AnyTaskEvent, TaskEvent, VerbRequested},
    telemetry::{LogLine, LogWritten, MetricPoint, MetricRecorded, ProgressReported},
};
use anneal_domain::{
    id::{EventId, TaskId, WorkspaceId},
    task::{TaskState, Verb},
};
use anneal_store::{Sql, Store, Tx};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{Telemetry, apply_event, apply_telemetry, begin_epoch};
use crate::Error;

const CASES: u32 = 256;

/// What is said under an epoch is a function of its place: a worker never says two things in one place.
fn message(task: TaskId, epoch: u64, at: u64, channel: u8) -> Telemetry {
    match channel {
        0 => Telemetry::Progress(ProgressReported {
            task,
            epoch,
            seq: at,
            stage: format!("stage {epoch}"),
            done: at,
            total: 10,
            unit: "steps".to_owned(),
            eta_seconds: None,
        }),
        1 => Telemetry::Metric(MetricRecorded {
            task,
            epoch,
            points: (at..at + 2)
                .map(|step| MetricPoint {
                    step,
                    values: BTreeMap::from([("loss".to_owned(), Some((epoch * 100 + step) as f64))]),
                })
                .collect(),
        }),
        _ => Telemetry::Log(LogWritten {
            task,
            epoch,
            first_line: at,
            lines: (at..at + 2)
                .map(|line| LogLine {
                    stage: "train".to_owned(),
                    at_ms: i64::try_from(line).unwrap(),
                    level: Level::Info,
                    message: format!("{epoch}/{line}"),
                })
                .collect(),
        }),
    }
}

/// Everything the projection holds of a task, without the task itself.
async fn picture(store: &Store, task: TaskId) -> Vec<String> {
    let mut picture = Vec::new();
    for sql in [
        "SELECT epoch || '/' || seq || '/' || stage || '/' || done AS text FROM progress WHERE task = $1",
        "SELECT stage || '/' || epoch || '/' || seq || '/' || done AS text FROM stage_progress WHERE task = $1 ORDER BY stage",
        "SELECT name || '/' || step || '/' || epoch || '/' || value AS text FROM metrics WHERE task = $1 ORDER BY name, step",
        "SELECT line || '/' || message AS text FROM logs WHERE task = $1 ORDER BY line",
    ] {
        for row in store.read().rows(sql, [task.to_string().into()]).await.unwrap() {
            picture.push(row.try_get::<String>("", "text").unwrap());
        }
    }
    picture
}

/// The steps after which the epochs 1, 2 and 3 began.
const AFTER_STEP: [i64; 3] = [-1, 3, 1];

async fn insert_task(tx: &Tx, task: TaskId) -> Result<(), Error> {
    tx.run(
        "INSERT INTO tasks (id, workspace, kind, pool, name, description, state, spec, inputs, facts, epoch,
           event_seq, claimed_at_ms, lease_until_ms, running_ms, usage_seq, ended_epoch, failed_attempts,
           rate_per_hour, held, figures, traceparent, created_by, created_at_ms, updated_at_ms,
           dispatched_at_ms)
         VALUES ($1, '', '', '', '', '', 'running', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', 0, 0, 0)",
        [task.to_string().into()],
    )
    .await?;
    Ok(())
}

async fn claim(tx: &Tx, task: TaskId, epoch: usize) -> Result<(), Error> {
    let (task, number) = (task.to_string(), i64::try_from(epoch).unwrap());
    tx.run("UPDATE tasks SET epoch = $1 WHERE id = $2", [number.into(), task.clone().into()]).await?;
    begin_epoch(tx, &task, number, AFTER_STEP[epoch - 1]).await
}

/// Applies the messages in this order. Epochs are claimed before the first message, or each when it is first heard of.
async fn project(store: &Store, task: TaskId, plan: Vec<(u64, u64, u8)>, claimed_first: bool) -> Vec<String> {
    let epochs = AFTER_STEP.len();
    store
        .transaction(move |tx| async move {
            insert_task(&tx, task).await?;
            let mut claimed = 0;
            for (epoch, at, channel) in plan {
                let heard = usize::try_from(epoch).unwrap();
                let wanted = if claimed_first {
                    epochs
                } else if heard <= epochs {
                    heard
                } else {
                    0
                };
                while claimed < wanted {
                    claimed += 1;
                    claim(&tx, task, claimed).await?;
                }
                apply_telemetry(&tx, &message(task, epoch, at, channel)).await?;
            }
            while claimed < epochs {
                claimed += 1;
                claim(&tx, task, claimed).await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    picture(store, task).await
}

async fn store(folder: &tempfile::TempDir) -> Store {
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("p.db").display());
    let store = Store::connect(&url).await.unwrap();
    store.migrate(crate::store::migrations).await.unwrap();
    store
}

fn in_memory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

#[test]
fn loss_duplicates_and_any_order_give_the_rebuild() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = in_memory();
    let store = runtime.block_on(store(&folder));
    // Any set of messages: what is not in it was lost. Epoch 4 never was: what a stranger says under it is dropped.
    let plan = proptest::collection::vec((1_u64..=4, 0_u64..6, 0_u8..3), 1..40);
    let scrambled = plan.prop_flat_map(|plan| {
        let twice: Vec<_> = plan.iter().chain(&plan).copied().collect();
        (Just(plan), Just(twice).prop_shuffle())
    });
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&scrambled, |(plan, twice)| {
        let mut in_order = plan;
        in_order.sort_unstable();
        let (rebuilt, projected) = runtime.block_on(async {
            let rebuilt = project(&store, TaskId::new(), in_order, true).await;
            (rebuilt, project(&store, TaskId::new(), twice, false).await)
        });
        prop_assert!(projected.iter().all(|line| !line.starts_with("4/")));
        // Steps that a later epoch did again are not shown as an earlier one measured them.
        let undone = ["loss/2/1/", "loss/3/1/", "loss/2/2/", "loss/4/1/", "loss/5/2/"];
        prop_assert!(
            !projected.iter().any(|line| undone.iter().any(|point| line.starts_with(point))),
            "{projected:?}"
        );
        prop_assert_eq!(rebuilt, projected);
        Ok(())
    });
    outcome.unwrap();
}

fn fact(task: TaskId, id: u128) -> (Envelope, AnyTaskEvent) {
    let event = TaskEvent::VerbRequested(VerbRequested {
        task,
        verb: Verb::Pause,
        state: TaskState::Pausing,
        reason: id.to_string(),
    });
    let envelope = Envelope {
        id: EventId::from_u128(id),
        kind: event.ce_type().to_owned(),
        source: "/test".to_owned(),
        subject: task.to_string(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        workspace: WorkspaceId::from_u128(1),
        epoch: 1,
        seq: 1,
        trace: Trace { trace_id: 1, span_id: 1 },
    };
    (envelope, event.into())
}

#[tokio::test]
async fn the_event_log_holds_each_fact_of_a_task_that_exists_once() {
    let folder = in_memory();
    let store = store(&folder).await;
    let (task, deleted) = (TaskId::new(), TaskId::new());
    let said = store.transaction(move |tx| async move {
        insert_task(&tx, task).await?;
        let mut new = Vec::new();
        for id in [3, 1, 3, 2, 1, 1] {
            let (envelope, event) = fact(task, id);
            new.push(apply_event(&tx, &envelope, event).await?);
        }
        let (envelope, event) = fact(deleted, 9);
        new.push(apply_event(&tx, &envelope, event).await?);
        Ok::<_, Error>(new)
    });
    assert_eq!(said.await.unwrap(), [true, true, false, true, false, false, false]);
    let rows = store.read().rows("SELECT event_id FROM event_log ORDER BY id", []).await.unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.try_get("", "event_id").unwrap()).collect();
    assert_eq!(ids, [3, 1, 2].map(|id| EventId::from_u128(id).to_string()));
}
