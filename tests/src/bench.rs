//! A small training on the platform, for tests that put it through faults.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Client, Platform, inputs, platform::within};

/// How long anything may take here.
pub const A_WHILE: Duration = Duration::from_secs(120);
/// Steps of the training.
pub const STEPS: u64 = 600;
/// Steps between its checkpoints.
const SAVE: u64 = 50;

/// A tiny model and its rows, on a platform with a trainer.
#[derive(Debug)]
pub struct Bench {
    /// The processes.
    pub platform: Platform,
    /// A client with the admin's key.
    pub client: Client,
    /// The model.
    pub model: String,
    /// The rows.
    pub dataset: String,
}

impl Bench {
    /// Everything up, the model and the rows uploaded.
    pub async fn start() -> Self {
        let platform = Platform::start_with(&["trainer"]).await;
        let client = platform.client();
        let model = client.model("tiny", &inputs::tiny_model(platform.folder())).await;
        let dataset = client.dataset("chat", "sft", inputs::chat_rows(200)).await;
        Self { platform, client, model, dataset }
    }

    /// Launches a training of [`STEPS`] steps.
    pub async fn train(&self) -> String {
        self.client.launch("train", inputs::training(&self.model, &self.dataset, STEPS, SAVE)).await
    }

    /// Waits until a checkpoint was committed and the run is still under way.
    pub async fn has_checkpoint(&self, task: &str) {
        let path = format!("/api/v1/tasks/{task}/checkpoints");
        within(A_WHILE, || async {
            self.client.try_get(&path).await.is_ok_and(|list| !list["data"].as_array().unwrap().is_empty())
        })
        .await;
    }

    /// Waits for success, and for books that balance.
    pub async fn succeeds(&self, task: &str) -> Value {
        let shown = self.client.reaches(task, &["succeeded"], A_WHILE).await;
        self.the_books_balance().await;
        shown
    }

    /// I3: the ledger sums to zero and equals what the usage stream says.
    pub async fn the_books_balance(&self) {
        let audited = || async {
            let (status, audit) = self.client.post("/api/v1/billing/audit", &json!({})).await;
            status.is_success() && audit["difference_microcredits"] == 0
        };
        within(Duration::from_secs(30), audited).await;
        let ledger = self.client.get("/api/v1/billing/ledger?limit=1").await;
        assert_eq!(ledger["ledger_sum_microcredits"], 0, "{ledger}");
    }

    /// The losses of a run that nothing disturbed.
    pub async fn undisturbed(&self) -> Vec<(u64, u64)> {
        let task = self.train().await;
        self.succeeds(&task).await;
        self.losses(&task).await
    }

    /// The losses of every step of a run that has ended: points may be shown a moment after their task's end, but none may be missing.
    pub async fn losses(&self, task: &str) -> Vec<(u64, u64)> {
        let deadline = Instant::now() + A_WHILE;
        loop {
            let losses = self.client.losses(task).await;
            let missing: Vec<u64> =
                (1..=STEPS).filter(|step| losses.iter().all(|(shown, _)| shown != step)).collect();
            if missing.is_empty() {
                return losses;
            }
            assert!(Instant::now() < deadline, "no losses of steps {missing:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
