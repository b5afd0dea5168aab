//! Step 4: quantise to INT8 and compile; ONNX Runtime proves the artifact before it is published.

use anyhow::{Result, bail};
use serde_json::json;

use super::{Made, launch, number, text, upload::Inputs};
use crate::{
    api::Api,
    report::Report,
    show::{fact, heading},
};

pub(super) async fn run(api: &Api, inputs: &Inputs, tuned: &Made, report: &mut Report) -> Result<Made> {
    heading(4, "Compile the tuned model to INT8, proven in ONNX Runtime");
    let task = launch(
        api,
        "demo: compile the tuned model",
        json!({
            "kind": "compilation", "model_source": "trained", "model": tuned.model, "quantization": "int8",
            "calibration": {"dataset": inputs.calibration}, "validation_dataset": inputs.validation,
        }),
    )
    .await?;
    let figures = &task["figures"];
    let value = |key: &str| number(figures, &[key]);
    report.set(
        "compile",
        json!({
            "perplexity_ratio": value("perplexity_ratio")?, "top1_agreement": value("top1_agreement")?,
            "size_bytes": value("size_bytes")?, "source_size_bytes": value("source_size_bytes")?, "figures": figures,
        }),
    );
    fact("perplexity ratio", &format!("{:.4}", value("perplexity_ratio")?));
    fact("top-1 agreement", &format!("{:.2} %", 100.0 * value("top1_agreement")?));
    fact(
        "size",
        &format!("{:.0} MB from {:.0} MB", value("size_bytes")? / 1e6, value("source_size_bytes")? / 1e6),
    );
    if figures["verdict"] != "published" {
        bail!("the compiled model was refused: {figures}");
    }
    Ok(Made { model: text(&task, "model")?, task: text(&task, "id")? })
}
