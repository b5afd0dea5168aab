//! The model that an ended task leaves behind.

use anneal_contracts::event::Artifact;
use anneal_domain::{
    id::ModelId,
    spec::{Method, TaskSpec},
};
use anneal_store::Tx;
use serde_json::{Map, Value};

use super::{checkpoint, end::Ending};
use crate::{
    Error,
    models::{self, ModelRow},
    store::{TaskRow, from_json, to_json},
};

/// Registers the model that was published, or that of the last checkpoint; its id. Evaluations make none.
pub(super) async fn register(
    tx: &Tx,
    row: &TaskRow,
    ending: &Ending,
    now_ms: i64,
) -> Result<Option<String>, Error> {
    let spec = row.spec()?;
    let (base, source) = match &spec {
        TaskSpec::Training(training) => (training.model, "trained"),
        TaskSpec::Compilation(compilation) => (compilation.model, "compiled"),
        TaskSpec::Evaluation(_) => return Ok(None),
    };
    let Some((format, folder)) = folder(tx, row, &spec, ending).await? else { return Ok(None) };
    let base = models::readable(&**tx, row.workspace()?, base).await.ok();
    let figures: Map<String, Value> = from_json(&row.figures, "figures")?;
    let model = ModelRow {
        id: ModelId::new().to_string(),
        workspace: row.workspace.clone(),
        name: row.name.clone(),
        source: source.to_owned(),
        format: format.to_owned(),
        state: "ready".to_owned(),
        architecture: base.as_ref().and_then(|base| base.architecture.clone()),
        parameters: base.as_ref().and_then(|base| base.parameters),
        context_tokens: base.as_ref().and_then(|base| base.context_tokens),
        size_bytes: i64::try_from(folder.size_bytes).unwrap_or(i64::MAX),
        task: Some(row.id.clone()),
        base_model: base.map(|base| base.id),
        prefix: folder.prefix,
        manifest_sha256: Some(folder.manifest_sha256),
        figures: to_json(&figures)?,
        created_at_ms: now_ms,
    };
    models::insert(tx, &model).await?;
    Ok(Some(model.id))
}

/// What was published, whole models before adapters; else the newest usable checkpoint of a training.
async fn folder(
    tx: &Tx,
    row: &TaskRow,
    spec: &TaskSpec,
    ending: &Ending,
) -> Result<Option<(&'static str, Artifact)>, Error> {
    let of_role = |role: &str| ending.artifacts.iter().find(|artifact| artifact.role == role).cloned();
    let TaskSpec::Training(training) = spec else {
        return Ok(of_role("compiled").map(|artifact| ("onnx", artifact)));
    };
    if let Some(artifact) = of_role("model") {
        return Ok(Some(("huggingface", artifact)));
    }
    if let Some(artifact) = of_role("adapter") {
        return Ok(Some(("adapter", artifact)));
    }
    let newest = checkpoint::usable(&**tx, row.task()?).await?;
    let format = if training.method == Method::Full { "huggingface" } else { "adapter" };
    Ok(newest.map(|kept| {
        let artifact = Artifact {
            role: "checkpoint".to_owned(),
            prefix: kept.prefix,
            manifest_sha256: kept.manifest_sha256,
            size_bytes: kept.size_bytes.unsigned_abs(),
        };
        (format, artifact)
    }))
}
