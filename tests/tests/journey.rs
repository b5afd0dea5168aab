//! The main job on a tiny model, through the public API over the real processes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use anneal_tests::{Client, Platform, client::id_of, inputs};
use serde_json::{Value, json};

const A_WHILE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_model_is_tuned_evaluated_compiled_deployed_and_billed() {
    let platform = Platform::start().await;
    let client = platform.client();
    let base = client.model("tiny", &inputs::tiny_model(platform.folder())).await;
    let chat = client.dataset("chat", "sft", inputs::chat_rows(120)).await;
    let questions = client.dataset("questions", "evaluation", inputs::question_rows(20)).await;
    let text = client.dataset("text", "pretrain", inputs::text_rows(40)).await;

    let training = client.launch("tune", inputs::training(&base, &chat, 60, 20)).await;
    let tuned = client.reaches(&training, &["succeeded"], A_WHILE).await;
    let losses = client.losses(&training).await;
    assert_eq!(losses.len(), 60);
    let (first, last) = (f64::from_bits(losses[0].1), f64::from_bits(losses[59].1));
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");

    let spec = json!({
        "kind": "evaluation", "model": {"task": training}, "apply_chat_template": true, "leak_check": true,
        "datasets": [{"benchmark": "custom_multiple_choice", "dataset": questions}, {"benchmark": "heldout_loss", "dataset": chat}],
    });
    let evaluation = client.launch("score", spec).await;
    let scored = client.reaches(&evaluation, &["succeeded"], A_WHILE).await;
    let accuracy = scored["figures"]["scores"]["custom_multiple_choice"]["acc,none"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&accuracy));
    let samples =
        client.get(&format!("/api/v1/tasks/{evaluation}/samples?benchmark=custom_multiple_choice")).await;
    assert_eq!(samples["data"].as_array().unwrap().len(), 20);
    // Its own training rows are held out from nothing.
    let leaks = &scored["figures"]["leaks"]["heldout_loss"];
    assert_eq!((&leaks["checked"], &leaks["share"]), (&json!(120), &json!(1.0)));
    answers_are_scored_again(&client, &scored).await;

    let spec = json!({
        "kind": "compilation", "model": {"task": evaluation}, "quantization": "int8",
        "calibration": {"dataset": text}, "validation_dataset": text, "max_perplexity_ratio": 1.5,
    });
    let compilation = client.launch("compile", spec).await;
    let compiled = client.reaches(&compilation, &["succeeded"], A_WHILE).await;
    assert_eq!(compiled["figures"]["verdict"], "published");
    let model = compiled["model"].as_str().unwrap();
    let lineage = client.get(&format!("/api/v1/models/{model}/lineage")).await;
    assert_eq!(lineage["data"][0]["made_by"]["from_task"], json!(evaluation));
    assert_eq!(lineage["data"][1]["evaluations"][1]["from_task"], json!(training));

    answers_when_deployed(&client, &compiled["model"]).await;
    one_trace_runs_through(&client, &training, &tuned).await;
    the_books_balance(&client, &[training, evaluation, compilation]).await;
}

/// The same answers, read again, give the same figures; the two evaluations compare, and stand on the leaderboard.
async fn answers_are_scored_again(client: &Client, scored: &Value) {
    let first = scored["id"].as_str().unwrap();
    let mut spec = scored["spec"].clone();
    spec["rescore"] = json!(first);
    let again = client.launch("score again", spec).await;
    let rescored = client.reaches(&again, &["succeeded"], A_WHILE).await;
    assert_eq!(rescored["figures"]["rescored"], true);
    assert_eq!(rescored["figures"]["scores"], scored["figures"]["scores"]);
    let compared = client.get(&format!("/api/v1/tasks/{first}/comparison?with={again}")).await;
    let task = &compared["tasks"]["custom_multiple_choice"];
    assert_eq!((&task["samples"], &task["other_answer"]), (&json!(20), &json!(0)));
    assert_eq!(task["metrics"]["acc,none"]["difference"], 0.0);
    let board = client.get("/api/v1/benchmarks/custom_multiple_choice/leaderboard").await;
    let standings = board["data"].as_array().unwrap();
    assert_eq!((standings.len(), &standings[0]["task"]), (1, &json!(again)));
    assert_eq!(standings[0]["settings"]["precision"], "fp32");
}

async fn answers_when_deployed(client: &Client, model: &Value) {
    let deployment = client.create("/api/v1/deployments", &json!({"name": "tiny", "model": model})).await;
    let path = format!("/api/v1/deployments/{}", id_of(&deployment));
    let mut shown = deployment;
    for _ in 0..200 {
        shown = client.get(&path).await;
        if shown["state"] == "ready" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shown["state"], "ready", "{shown}");
    let body = json!({"model": "tiny", "max_tokens": 8, "messages": [{"role": "user", "content": "What is 1 and 1?"}]});
    let answer = client.create("/v1/chat/completions", &body).await;
    assert!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");
    assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() >= 1, "{answer}");
}

/// One trace id from the request to the task's last event.
async fn one_trace_runs_through(client: &Client, task: &str, shown: &Value) {
    let trace_id = |value: &Value| value["traceparent"].as_str().unwrap()[3..35].to_owned();
    let events = client.get(&format!("/api/v1/tasks/{task}/events")).await;
    let events = events["data"].as_array().unwrap();
    assert_eq!(events.first().unwrap()["type"], "anneal.task.queued.v1");
    assert_eq!(events.last().unwrap()["type"], "anneal.training.completed.v1");
    for event in events {
        assert_eq!(trace_id(event), trace_id(shown), "{event}");
    }
}

async fn the_books_balance(client: &Client, tasks: &[String]) {
    for task in tasks {
        let mut bill = Value::Null;
        for _ in 0..100 {
            bill = client.get(&format!("/api/v1/tasks/{task}/bill")).await;
            if bill["closed"] == true {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let amount = |key: &str| bill[key].as_i64().unwrap_or_else(|| panic!("no {key} in {bill}"));
        assert_eq!(bill["closed"], true, "{bill}");
        assert_eq!(
            amount("held_microcredits"),
            amount("captured_microcredits") + amount("released_microcredits"),
            "{bill}"
        );
    }
    let ledger = client.get("/api/v1/billing/ledger?limit=100").await;
    assert_eq!(ledger["ledger_sum_microcredits"], 0, "{ledger}");
    let audit = client.create("/api/v1/billing/audit", &json!({})).await;
    assert_eq!(audit["difference_microcredits"], 0, "{audit}");
}
