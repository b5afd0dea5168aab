//! A projection under duplication and reordering equals its rebuild from the same messages in order.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use anneal_contracts::{
    engine::Level,
    telemetry::{LogLine, LogWritten, MetricPoint, MetricRecorded, ProgressReported},
};
use anneal_domain::id::TaskId;
use anneal_store::{Sql, Store};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{Telemetry, apply_telemetry};
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

async fn project(store: &Store, task: TaskId, plan: Vec<(u64, u64, u8)>) -> Vec<String> {
    store
        .transaction(move |tx| async move {
            tx.run(
                "INSERT INTO tasks (id, workspace, kind, pool, name, description, state, spec, inputs, facts, epoch,
                   event_seq, claimed_at_ms, lease_until_ms, running_ms, usage_seq, ended_epoch, failed_attempts,
                   rate_per_hour, held, figures, traceparent, created_by, created_at_ms, updated_at_ms,
                   dispatched_at_ms)
                 VALUES ($1, '', '', '', '', '', 'running', '', '', '', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', 0, 0, 0)",
                [task.to_string().into()],
            )
            .await?;
            for (epoch, at, channel) in plan {
                apply_telemetry(&tx, &message(task, epoch, at, channel)).await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    picture(store, task).await
}

#[test]
fn duplicates_and_any_order_give_the_rebuild() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let store = runtime.block_on(async {
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("p.db").display());
        let store = Store::connect(&url).await.unwrap();
        store.migrate(crate::store::migrations).await.unwrap();
        store
    });
    // Epoch 4 never was: what a stranger says under it is dropped.
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
            let rebuilt = project(&store, TaskId::new(), in_order).await;
            (rebuilt, project(&store, TaskId::new(), twice).await)
        });
        prop_assert!(projected.iter().all(|line| !line.starts_with("4/")));
        prop_assert_eq!(rebuilt, projected);
        Ok(())
    });
    outcome.unwrap();
}
