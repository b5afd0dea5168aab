//! An evaluation task.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ModelReference, ModelSource, Pool,
    evaluation_dataset::{EvaluationDataset, check_datasets},
};
use crate::{
    field_error::FieldErrors,
    id::{CheckpointId, ModelId, TaskId},
};

/// Score a model on one or more benchmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Where the model comes from; with a task's model it may be left out.
    #[schema(required = false)]
    pub model_source: ModelSource,
    /// The model; in a request also `{"task": …}`: the model that a task made or scored.
    #[schema(value_type = ModelReference)]
    pub model: ModelId,
    /// The task that the model was taken from; written for `"model": {"task": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_task: Option<TaskId>,
    /// A checkpoint of the training `from_task`, scored in the place of the model, which is the one it was trained from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointId>,
    /// An earlier evaluation of the same model whose answers are scored again: nothing is generated, so that only filters and
    /// metrics may be others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescore: Option<TaskId>,
    /// Look for the evaluated rows in the data that the model, and every model it stands on, was trained or calibrated with.
    #[serde(default)]
    pub leak_check: bool,
    /// Benchmarks; up to two are free.
    pub datasets: Vec<EvaluationDataset>,
    /// Render each context as a user message of the model's chat template.
    #[serde(default)]
    pub apply_chat_template: bool,
    /// Longest context in tokens; the model's own limit when absent.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Seed of few-shot sampling.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The resource pool.
    #[serde(default)]
    pub pool: Pool,
}

/// Evaluations of up to this many datasets are free (the manual's rule).
pub const FREE_DATASETS: usize = 2;

impl EvaluationSpec {
    /// Whether the manual's pricing rule makes this evaluation free.
    pub fn is_free(&self) -> bool {
        self.datasets.len() <= FREE_DATASETS
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        check_datasets(&self.datasets, "spec.datasets", errors);
        self.check_checkpoint(errors);
        errors.require(
            self.max_length.is_none_or(|n| n >= 16),
            "spec.max_length",
            "must be at least 16 tokens",
        );
        errors.require(self.pool == Pool::Fast, "spec.pool", "evaluation runs on one node: choose `fast`");
    }

    fn check_checkpoint(&self, errors: &mut FieldErrors) {
        if self.checkpoint.is_none() {
            return;
        }
        errors.require(self.from_task.is_some(), "spec.from_task", "name the training of the checkpoint");
        let why = "leaks are looked for along a model's lineage: score the model that the training made";
        errors.require(!self.leak_check, "spec.leak_check", why);
    }
}
