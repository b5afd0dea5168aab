//! What was stored and is lost, what is delivered again, and who is left behind, on the real processes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_tests::{
    bench::{A_WHILE, Bench, STEPS},
    platform::within,
};
use serde_json::Value;

async fn bill(bench: &Bench, task: &str) -> Value {
    bench.client.try_get(&format!("/api/v1/tasks/{task}/bill")).await.unwrap_or_default()
}

async fn is_closed(bench: &Bench, task: &str) -> bool {
    bill(bench, task).await["closed"] == true
}

/// What a task has come to: its bill, its facts, its losses.
async fn picture(bench: &Bench, task: &str) -> (Value, Value, Vec<(u64, u64)>) {
    let events = bench.client.get(&format!("/api/v1/tasks/{task}/events")).await;
    (bill(bench, task).await, events, bench.losses(task).await)
}

#[tokio::test]
async fn facts_that_nobody_had_read_when_the_broker_was_wiped_are_told_again() {
    let mut bench = Bench::start().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    // Billing reads nothing from here to the end: every fact and usage report lies in the broker only.
    bench.platform.kill("billing");
    bench.client.reaches(&task, &["succeeded"], A_WHILE).await;
    bench.platform.nats.wipe().await;
    bench.platform.launch("billing");
    within(A_WHILE, || is_closed(&bench, &task)).await;
    bench.the_books_balance().await;
    let bill = bill(&bench, &task).await;
    assert!(bill["captured_microcredits"].as_i64().unwrap() > 0, "{bill}");
    assert!(bill["running_seconds"].as_f64().unwrap() > 0.0, "{bill}");
}

#[tokio::test]
async fn a_broker_wiped_in_the_middle_of_a_run_changes_neither_its_losses_nor_its_books() {
    let mut bench = Bench::start().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.platform.nats.wipe().await;
    bench.succeeds(&task).await;
    within(A_WHILE, || is_closed(&bench, &task)).await;
    bench.the_books_balance().await;
}

#[tokio::test]
async fn everything_delivered_twice_counts_once() {
    let mut bench = Bench::start().await;
    let task = bench.train().await;
    bench.succeeds(&task).await;
    within(A_WHILE, || is_closed(&bench, &task)).await;
    let before = picture(&bench, &task).await;
    assert_eq!(before.2.len() as u64, STEPS);
    bench.platform.nats.forget_consumers().await;
    bench.platform.ready().await;
    // Whoever has read the end of a later task has read all that is delivered again before it.
    let later = bench.train().await;
    bench.succeeds(&later).await;
    within(A_WHILE, || is_closed(&bench, &later)).await;
    bench.losses(&later).await;
    assert_eq!(picture(&bench, &task).await, before);
    bench.the_books_balance().await;
}

#[tokio::test]
async fn a_killed_worker_leaves_no_engine_behind() {
    let mut bench = Bench::start().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    let engines = bench.platform.children("trainer");
    assert!(!engines.is_empty(), "no engine was running");
    bench.platform.kill("trainer");
    let is_gone = |engine: &i32| {
        // A zombie has no command line.
        !std::fs::read(format!("/proc/{engine}/cmdline")).is_ok_and(|command| !command.is_empty())
    };
    within(A_WHILE, || async { engines.iter().all(is_gone) }).await;
    bench.platform.launch("trainer");
    bench.succeeds(&task).await;
}
