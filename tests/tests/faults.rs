//! What must never happen, tried on the real processes: kills, zombies, a broker that forgets, repeated messages.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{collections::BTreeMap, time::Duration};

use anneal_tests::{
    Client, Platform,
    bench::{A_WHILE, Bench, STEPS},
    client::id_of,
    inputs,
    platform::within,
};
use serde_json::json;

fn assert_same_bits(disturbed: &[(u64, u64)], undisturbed: &[(u64, u64)]) {
    let of: BTreeMap<u64, u64> = undisturbed.iter().copied().collect();
    assert_eq!(disturbed.len() as u64, STEPS);
    assert_eq!(undisturbed.len() as u64, STEPS);
    for (step, bits) in disturbed {
        assert_eq!(
            bits,
            &of[step],
            "step {step}: {} and {}",
            f64::from_bits(*bits),
            f64::from_bits(of[step])
        );
    }
}

/// Number of events of this type that a task has.
async fn events_of(client: &Client, task: &str, ce_type: &str) -> usize {
    let events = client.get(&format!("/api/v1/tasks/{task}/events")).await;
    events["data"].as_array().unwrap().iter().filter(|event| event["type"] == ce_type).count()
}

#[tokio::test]
async fn a_killed_engine_is_tried_again_with_the_same_losses() {
    let bench = Bench::start().await;
    let undisturbed = bench.undisturbed().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    assert!(bench.platform.kill_children("trainer") > 0, "no engine was running");
    bench.succeeds(&task).await;
    assert!(events_of(&bench.client, &task, "anneal.task.requeued.v1").await >= 1);
    assert_same_bits(&bench.losses(&task).await, &undisturbed);
}

#[tokio::test]
async fn another_worker_resumes_a_killed_workers_task_with_the_same_losses() {
    let mut bench = Bench::start().await;
    let undisturbed = bench.undisturbed().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.platform.kill("trainer");
    bench.platform.launch_as("second-trainer", "trainer", "");
    let shown = bench.succeeds(&task).await;
    assert!(shown["epoch"].as_u64().unwrap() >= 2, "{shown}");
    assert_same_bits(&bench.losses(&task).await, &undisturbed);
}

#[tokio::test]
async fn a_worker_that_slept_through_its_lease_changes_nothing() {
    let mut bench = Bench::start().await;
    let undisturbed = bench.undisturbed().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.platform.stop("trainer");
    bench.platform.launch_as("second-trainer", "trainer", "");
    tokio::time::sleep(2 * Platform::lease()).await;
    bench.platform.cont("trainer");
    let shown = bench.succeeds(&task).await;
    let epoch = shown["epoch"].as_u64().unwrap();
    assert!(epoch >= 2, "{shown}");
    assert_eq!(events_of(&bench.client, &task, "anneal.training.completed.v1").await, 1);
    assert_same_bits(&bench.losses(&task).await, &undisturbed);
}

#[tokio::test]
async fn a_task_committed_just_before_the_api_died_is_run() {
    let mut bench = Bench::start().await;
    bench.platform.kill("task-api");
    bench.platform.launch_failing("task-api", "api.after_commit=kill");
    bench.platform.ready().await;
    let body = json!({"name": "unanswered", "spec": inputs::training(&bench.model, &bench.dataset, 20, 10)});
    let request = bench.client.request(reqwest::Method::POST, "/api/v1/tasks").json(&body);
    assert!(request.send().await.is_err(), "the API answered although it was to die before");
    bench.platform.ended("task-api").await;
    bench.platform.launch("task-api");
    bench.platform.ready().await;
    let list = bench.client.get("/api/v1/tasks").await;
    let tasks = list["data"].as_array().unwrap();
    assert_eq!(tasks.len(), 1, "{list}");
    bench.succeeds(&id_of(&tasks[0])).await;
}

#[tokio::test]
async fn a_message_published_twice_by_a_killed_relay_counts_once() {
    let mut bench = Bench::start().await;
    bench.platform.kill("task-api");
    bench.platform.launch_failing("task-api", "relay.after_puback=kill");
    bench.platform.ready().await;
    let body = json!({"name": "twice", "spec": inputs::training(&bench.model, &bench.dataset, 20, 10)});
    // The answer may or may not arrive before the relay's death.
    let _ = bench.client.request(reqwest::Method::POST, "/api/v1/tasks").json(&body).send().await;
    bench.platform.ended("task-api").await;
    bench.platform.launch("task-api");
    bench.platform.ready().await;
    let list = bench.client.get("/api/v1/tasks").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    let task = id_of(&list["data"][0]);
    bench.succeeds(&task).await;
    for ce_type in ["anneal.task.queued.v1", "anneal.training.completed.v1"] {
        // What the dead API had fetched comes again after the acknowledgement wait.
        within(A_WHILE, || async { events_of(&bench.client, &task, ce_type).await > 0 }).await;
        assert_eq!(events_of(&bench.client, &task, ce_type).await, 1, "{ce_type}");
    }
}

#[tokio::test]
async fn a_broker_killed_while_events_flow_loses_nothing() {
    let mut bench = Bench::start().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.platform.nats.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.platform.nats.restart().await;
    bench.succeeds(&task).await;
    assert_eq!(bench.losses(&task).await.len() as u64, STEPS);
}

#[tokio::test]
async fn a_wiped_broker_loses_nothing() {
    let mut bench = Bench::start().await;
    // Queued, with nobody to claim it, when everything the broker knew is gone.
    bench.platform.kill("trainer");
    let task = bench.train().await;
    bench.platform.nats.wipe().await;
    bench.platform.launch("trainer");
    bench.client.reaches(&task, &["succeeded"], A_WHILE).await;
}

#[tokio::test]
async fn billing_killed_between_its_transaction_and_the_acknowledgement_charges_once() {
    let mut bench = Bench::start().await;
    bench.platform.kill("billing");
    bench.platform.launch_failing("billing", "billing.after_tx_before_ack=kill");
    let task = {
        bench.platform.ready().await;
        bench.train().await
    };
    bench.platform.ended("billing").await;
    bench.platform.launch("billing");
    bench.succeeds(&task).await;
}

#[tokio::test]
async fn a_paused_task_goes_on_where_it_was_and_a_stopped_one_keeps_its_model() {
    let bench = Bench::start().await;
    let undisturbed = bench.undisturbed().await;
    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.client.create(&format!("/api/v1/tasks/{task}/pause"), &json!({})).await;
    bench.client.reaches(&task, &["paused"], A_WHILE).await;
    bench.client.create(&format!("/api/v1/tasks/{task}/resume"), &json!({})).await;
    bench.succeeds(&task).await;
    assert_same_bits(&bench.losses(&task).await, &undisturbed);

    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.client.create(&format!("/api/v1/tasks/{task}/stop"), &json!({})).await;
    let stopped = bench.client.reaches(&task, &["stopped"], A_WHILE).await;
    assert!(stopped["model"].is_string(), "a stopped task keeps its model: {stopped}");

    let task = bench.train().await;
    bench.has_checkpoint(&task).await;
    bench.client.create(&format!("/api/v1/tasks/{task}/cancel"), &json!({})).await;
    let cancelled = bench.client.reaches(&task, &["cancelled"], A_WHILE).await;
    assert!(cancelled["model"].is_null(), "{cancelled}");
}
