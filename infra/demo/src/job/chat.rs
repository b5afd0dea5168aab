//! Step 5: deploy the compiled model and ask it a question.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Made, number, text};
use crate::{
    api::Api,
    report::Report,
    show::{fact, heading},
};

const QUESTION: &str = "What is the process by which plants make food from sunlight called?";

/// What the demo deploys under.
pub(super) const NAME: &str = "sciq-demo";

pub(super) async fn run(api: &Api, compiled: &Made, report: &mut Report) -> Result<()> {
    heading(5, "Deploy it and ask");
    let body = json!({"name": NAME, "model": compiled.model});
    let deployment = api.post("/api/v1/deployments", &body).await?;
    ready(api, &text(&deployment, "id")?).await?;
    let began = Instant::now();
    let body = json!({
        "model": NAME, "max_tokens": 32, "temperature": 0.0,
        "messages": [{"role": "user", "content": QUESTION}],
    });
    let answer = api.post("/v1/chat/completions", &body).await?;
    let seconds = began.elapsed().as_secs_f64();
    let Some(reply) =
        answer["choices"][0]["message"]["content"].as_str().filter(|reply| !reply.trim().is_empty())
    else {
        bail!("the deployed model said nothing: {answer}");
    };
    let speed = number(&answer, &["usage", "completion_tokens"])? / seconds;
    fact("question", QUESTION);
    fact("reply", reply.trim());
    report.set(
        "chat",
        json!({"reply": reply, "tokens_per_second": speed, "seconds": seconds, "usage": answer["usage"]}),
    );
    Ok(())
}

async fn ready(api: &Api, id: &str) -> Result<()> {
    for _ in 0..300 {
        let shown: Value = api.get(&format!("/api/v1/deployments/{id}")).await?;
        match shown["state"].as_str() {
            Some("ready") => return Ok(()),
            Some("failed" | "stopped") => bail!("the deployment did not come up: {shown}"),
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    bail!("the deployment was not ready within a minute")
}
