//! Step 3: score the base and the tuned model on the disjoint part; tuning must help.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Made, launch, number, text, upload::Inputs};
use crate::{
    api::Api,
    report::Report,
    show::{fact, heading},
};

/// Scores both models; returns the evaluation tasks.
pub(super) async fn run(
    api: &Api,
    inputs: &Inputs,
    tuned: &Made,
    report: &mut Report,
) -> Result<Vec<String>> {
    heading(3, "Evaluate base and tuned model on rows neither has seen");
    let base = evaluate(api, inputs, "builtin", &inputs.model, "demo: score the base model").await?;
    let after = evaluate(api, inputs, "trained", &tuned.model, "demo: score the tuned model").await?;
    fact("accuracy", &format!("{:.1} % → {:.1} %", 100.0 * base.accuracy, 100.0 * after.accuracy));
    fact("held-out loss", &format!("{:.4} → {:.4}", base.loss, after.loss));
    report.set(
        "evaluation",
        json!({
            "base_accuracy": base.accuracy, "tuned_accuracy": after.accuracy,
            "base_loss": base.loss, "tuned_loss": after.loss,
        }),
    );
    if after.loss >= base.loss || after.accuracy <= base.accuracy {
        bail!("tuning did not help");
    }
    Ok(vec![base.task, after.task])
}

struct Scores {
    task: String,
    accuracy: f64,
    loss: f64,
}

async fn evaluate(api: &Api, inputs: &Inputs, source: &str, model: &str, name: &str) -> Result<Scores> {
    let task = launch(
        api,
        name,
        json!({
            "kind": "evaluation", "model_source": source, "model": model, "apply_chat_template": true,
            "datasets": [
                {"benchmark": "custom_multiple_choice", "dataset": inputs.questions},
                {"benchmark": "heldout_loss", "dataset": inputs.held_out},
            ],
        }),
    )
    .await?;
    let scores: &Value = &task["figures"]["scores"];
    Ok(Scores {
        task: text(&task, "id")?,
        accuracy: number(scores, &["custom_multiple_choice", "acc,none"])?,
        loss: number(scores, &["heldout_loss", "loss,none"])?,
    })
}
