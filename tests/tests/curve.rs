//! Scores of a training's checkpoints, as curves of the training, on the real processes: with nothing in the way, under kills,
//! and with every verb.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_tests::{Client, Platform, bench::A_WHILE, client::id_of, inputs, platform::within};
use serde_json::{Value, json};

const ACCURACY: &str = "eval/custom_multiple_choice/acc";

struct Curve {
    platform: Platform,
    client: Client,
    model: String,
    chat: String,
    questions: String,
}

impl Curve {
    async fn start(services: &[&str]) -> Self {
        let platform = Platform::start_with(services).await;
        let client = platform.client();
        let model = client.model("tiny", &inputs::tiny_model(platform.folder())).await;
        let chat = client.dataset("chat", "sft", inputs::chat_rows(120)).await;
        let questions = client.dataset("questions", "evaluation", inputs::question_rows(12)).await;
        Self { platform, client, model, chat, questions }
    }

    /// A training that is scored every `save` steps, and before the first.
    fn training(&self, steps: u64, save: u64) -> Value {
        let mut spec = inputs::training(&self.model, &self.chat, steps, save);
        spec["checkpoint_evaluation"] = json!({"datasets": [
            {"benchmark": "custom_multiple_choice", "dataset": self.questions, "limit": 8},
            {"benchmark": "heldout_loss", "dataset": self.chat, "limit": 8},
        ]});
        spec
    }

    async fn train(&self, steps: u64, save: u64) -> String {
        self.client.launch("tune", self.training(steps, save)).await
    }

    async fn points(&self, task: &str, name: &str) -> Vec<(u64, f64)> {
        let metrics = self.client.try_get(&format!("/api/v1/tasks/{task}/metrics?names={name}")).await;
        let metrics = metrics.unwrap_or_default();
        let points = metrics["series"][name].as_array().cloned().unwrap_or_default();
        points.iter().map(|point| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap())).collect()
    }

    /// Waits for a point at each of these steps, and for no other.
    async fn has_points(&self, task: &str, steps: &[u64]) -> Vec<(u64, f64)> {
        within(A_WHILE, || async { self.points(task, ACCURACY).await.len() >= steps.len() }).await;
        let points = self.points(task, ACCURACY).await;
        assert_eq!(points.iter().map(|(step, _)| *step).collect::<Vec<_>>(), steps);
        points
    }

    async fn wanted(&self, task: &str) -> Vec<Value> {
        let list = self.client.get(&format!("/api/v1/tasks/{task}/checkpoint-evaluations")).await;
        list["data"].as_array().unwrap().clone()
    }

    async fn evaluations(&self) -> Vec<Value> {
        let list = self.client.get("/api/v1/tasks?kind=evaluation&limit=100").await;
        list["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn every_save_interval_is_a_point_and_no_checkpoint_goes_before_it_is_scored() {
    let mut curve = Curve::start(&["trainer"]).await;
    // Nobody scores while it trains: more checkpoints wait than are kept for a resumption.
    let task = curve.train(60, 10).await;
    let trained = curve.client.reaches(&task, &["succeeded"], A_WHILE).await;
    let kept = curve.client.get(&format!("/api/v1/tasks/{task}/checkpoints")).await;
    assert_eq!(kept["data"].as_array().unwrap().len(), 6, "{kept}");
    curve.platform.launch("evaluator");
    let points = curve.has_points(&task, &[0, 10, 20, 30, 40, 50, 60]).await;
    assert!(points.iter().all(|(_, accuracy)| (0.0..=1.0).contains(accuracy)));
    let learned = curve.points(&task, "eval/heldout_loss/loss").await;
    assert!(learned.last().unwrap().1 < 0.8 * learned[0].1, "{learned:?}");

    // The last point is the score of the very weights that were published.
    let adapter = trained["model"].as_str().unwrap();
    let spec = json!({"kind": "evaluation", "model_source": "trained", "model": adapter, "datasets": [
        {"benchmark": "custom_multiple_choice", "dataset": curve.questions, "limit": 8},
    ]});
    let evaluation = curve.client.launch("the published model", spec).await;
    let scored = curve.client.reaches(&evaluation, &["succeeded"], A_WHILE).await;
    let published = scored["figures"]["scores"]["custom_multiple_choice"]["acc,none"].as_f64().unwrap();
    assert_eq!(points.last().unwrap().1.to_bits(), published.to_bits());

    // What was scored is kept no longer than any other checkpoint.
    let path = format!("/api/v1/tasks/{task}/checkpoints");
    within(A_WHILE, || async { curve.client.get(&path).await["data"].as_array().unwrap().len() == 3 }).await;
    assert!(curve.wanted(&task).await.iter().all(|wanted| wanted["state"] == "scored"));
    // A checkpoint is no model: it stands on no leaderboard, and nothing is made from it by mistake.
    let board = curve.client.get("/api/v1/benchmarks/custom_multiple_choice/leaderboard").await;
    let ranked: Vec<String> =
        board["data"].as_array().unwrap().iter().map(|standing| standing["model"].to_string()).collect();
    assert_eq!(ranked.len(), 2, "the base model and the trained one: {board}");
    let of_checkpoint = &curve.wanted(&task).await[1]["evaluation"];
    let compile = json!({"kind": "compilation", "model": {"task": of_checkpoint}, "quantization": "fp16"});
    let (status, refused) = curve.client.post("/api/v1/tasks", &json!({"name": "x", "spec": compile})).await;
    assert_eq!((status.as_u16(), &refused["errors"][0]["field"]), (422, &json!("spec.model")), "{refused}");
}

#[tokio::test]
async fn kills_of_everything_lose_no_point_and_score_none_twice() {
    let mut curve = Curve::start(&["trainer", "evaluator"]).await;
    // The API dies after the hold and before the commit, then right after a commit.
    for failpoint in ["scorer.before_commit=kill", "scorer.after_commit=kill"] {
        curve.platform.kill("task-api");
        curve.platform.launch_failing("task-api", failpoint);
        curve.platform.ready().await;
        // The answer may or may not arrive before the API's death.
        let body = json!({"name": "tune", "spec": curve.training(40, 10)});
        drop(curve.client.request(reqwest::Method::POST, "/api/v1/tasks").json(&body).send().await);
        curve.platform.ended("task-api").await;
        curve.platform.launch("task-api");
        curve.platform.ready().await;
        let trainings = curve.client.get("/api/v1/tasks?kind=training").await;
        let task = id_of(&trainings["data"][0]);
        within(A_WHILE, || async { !curve.points(&task, ACCURACY).await.is_empty() }).await;
        // Both workers die on the way.
        curve.platform.kill("trainer");
        curve.platform.kill("evaluator");
        curve.platform.launch("trainer");
        curve.platform.launch("evaluator");
        curve.client.reaches(&task, &["succeeded"], A_WHILE).await;
        curve.has_points(&task, &[0, 10, 20, 30, 40]).await;
    }
    assert_eq!(curve.evaluations().await.len(), 10, "a step was scored twice");
    let audited = || async {
        let (status, audit) = curve.client.post("/api/v1/billing/audit", &json!({})).await;
        status.is_success() && audit["difference_microcredits"] == 0
    };
    within(A_WHILE, audited).await;
}

#[tokio::test]
async fn evaluations_wait_with_a_paused_training_and_go_with_a_cancelled_one() {
    let curve = Curve::start(&["trainer"]).await;
    let task = curve.train(600, 50).await;
    let made = || async {
        let wanted = curve.wanted(&task).await;
        wanted.len() >= 2 && wanted[1]["state"] == "made"
    };
    within(A_WHILE, made).await;
    curve.client.create(&format!("/api/v1/tasks/{task}/pause"), &json!({})).await;
    curve.client.reaches(&task, &["paused"], A_WHILE).await;
    for evaluation in curve.evaluations().await {
        assert_eq!(evaluation["state"], "paused", "{evaluation}");
    }
    curve.client.create(&format!("/api/v1/tasks/{task}/resume"), &json!({})).await;
    for evaluation in curve.evaluations().await {
        curve.client.reaches(&id_of(&evaluation), &["queued"], A_WHILE).await;
    }
    let (status, refused) = curve.client.post(&format!("/api/v1/tasks/{task}/cancel"), &json!({})).await;
    assert!(status.is_success(), "{refused}");
    curve.client.reaches(&task, &["cancelled"], A_WHILE).await;
    for evaluation in curve.evaluations().await {
        assert_eq!(evaluation["state"], "cancelled", "{evaluation}");
    }
    let states: Vec<Value> =
        curve.wanted(&task).await.into_iter().map(|wanted| wanted["state"].clone()).collect();
    assert!(states.iter().all(|state| state != "wanted" && state != "made"), "{states:?}");
}

#[tokio::test]
async fn what_cannot_be_scored_is_named_before_anything_is_queued() {
    let curve = Curve::start(&[]).await;
    let mut spec = inputs::training(&curve.model, &curve.chat, 10, 5);
    spec["checkpoint_evaluation"] = json!({"datasets": [
        {"benchmark": "humaneval", "dataset": curve.questions},
        {"benchmark": "arc_easy", "dataset": curve.chat, "limit": 0},
    ]});
    let (status, refused) = curve.client.post("/api/v1/tasks", &json!({"name": "x", "spec": spec})).await;
    assert_eq!(status.as_u16(), 422, "{refused}");
    let fields: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().filter_map(|error| error["field"].as_str()).collect();
    for (place, part) in [(0, "benchmark"), (1, "limit"), (1, "dataset")] {
        let field = format!("spec.checkpoint_evaluation.datasets[{place}].{part}");
        assert!(fields.contains(&field.as_str()), "{field} is missing in {fields:?}");
    }
}
