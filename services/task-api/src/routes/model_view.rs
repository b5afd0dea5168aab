//! A model as the API shows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Error, http::time, models::ModelRow, store::from_json};

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModelOrigin {
    /// The platform's own: every workspace may use it.
    Builtin,
    /// Imported by a user.
    Imported,
    /// Made by a training task.
    Trained,
    /// Made by a compilation task.
    Compiled,
}

impl ModelOrigin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Imported => "imported",
            Self::Trained => "trained",
            Self::Compiled => "compiled",
        }
    }
}

/// A model.
#[expect(clippy::struct_field_names, reason = "`base_model` is what the API and the tables call it")]
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    id: String,
    name: String,
    #[schema(value_type = ModelOrigin)]
    source: String,
    /// `gguf`, `huggingface`, `adapter`, `onnx`, or `unknown` until it is complete.
    format: String,
    /// `uploading` or `ready`.
    state: String,
    architecture: Option<String>,
    parameters: Option<i64>,
    /// The longest sequence it takes.
    context_tokens: Option<i64>,
    size_bytes: i64,
    /// The task that made it.
    task: Option<String>,
    /// The model it was made from; an adapter needs it.
    base_model: Option<String>,
    created_at: String,
    #[schema(value_type = Object)]
    figures: Value,
}

pub(super) fn view(row: &ModelRow) -> Result<Model, Error> {
    Ok(Model {
        id: row.id.clone(),
        name: row.name.clone(),
        source: row.source.clone(),
        format: row.format.clone(),
        state: row.state.clone(),
        architecture: row.architecture.clone(),
        parameters: row.parameters,
        context_tokens: row.context_tokens,
        size_bytes: row.size_bytes,
        task: row.task.clone(),
        base_model: row.base_model.clone(),
        created_at: time(row.created_at_ms),
        figures: from_json(&row.figures, "figures")?,
    })
}
