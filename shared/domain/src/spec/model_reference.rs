//! How a request names the model of an evaluation or a compilation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{ModelId, TaskId};

/// A model by its id; or the model that a task made, or that an evaluation scored. Stored specifications have the id, with
/// the task beside it as `from_task`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ModelReference {
    /// A model.
    Id(ModelId),
    /// The model of a task.
    OfTask(OfTask),
}

/// The model of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfTask {
    /// A training or compilation that left a model, or an evaluation that succeeded.
    pub task: TaskId,
}
