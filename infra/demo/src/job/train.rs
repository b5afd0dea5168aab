//! Step 2: fine-tune with LoRA.

use anyhow::Result;
use serde_json::json;

use super::{Made, launch, number, text, upload::Inputs};
use crate::{
    api::Api,
    report::Report,
    show::{fact, heading},
};

pub(super) async fn run(api: &Api, inputs: &Inputs, report: &mut Report) -> Result<Made> {
    heading(2, "Fine-tune it: SFT, LoRA, on science questions");
    let task = launch(
        api,
        "demo: tune SmolLM2 on SciQ",
        json!({
            "kind": "training", "task_type": "sft", "method": "lora", "model": inputs.model,
            "dataset": inputs.training, "split": [100, 0, 0], "sequence_length": 512, "precision": "bf16",
            "epochs": 1, "max_steps": 40, "learning_rate": 5e-4, "schedule": "linear", "warmup_ratio": 0.05,
            "micro_batch_size": 8, "save_interval": 40,
        }),
    )
    .await?;
    let figures = &task["figures"];
    let (steps, loss) = (number(figures, &["steps"])?, number(figures, &["final_loss"])?);
    let tokens_per_second = number(figures, &["num_tokens"])? / number(figures, &["seconds"])?;
    fact("steps, final loss", &format!("{steps}, {loss:.4}"));
    fact("speed", &format!("{tokens_per_second:.0} tokens/s"));
    report.set("training", json!({"steps": steps, "final_loss": loss, "tokens_per_second": tokens_per_second, "figures": figures}));
    Ok(Made { model: text(&task, "model")?, task: text(&task, "id")? })
}
