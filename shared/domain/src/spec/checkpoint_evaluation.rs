//! Benchmarks on which a training's checkpoints are scored while it goes on: what it learns, and what it forgets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    EvaluationSpec, ModelSource, Pool, TrainingSpec,
    evaluation_dataset::{EvaluationDataset, check_datasets},
};
use crate::{
    field_error::FieldErrors,
    id::{CheckpointId, TaskId},
};

/// Benchmarks of a training: an evaluation at every `save_interval`, each a task and a bill of its own. What is not trained
/// from random weights is scored before its first step too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointEvaluation {
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
}

impl CheckpointEvaluation {
    /// The evaluation of a checkpoint of a training; without a checkpoint, of the model it begins from.
    pub fn of(
        &self,
        training: &TrainingSpec,
        source: ModelSource,
        checkpoint: Option<(TaskId, CheckpointId)>,
    ) -> EvaluationSpec {
        EvaluationSpec {
            model_source: source,
            model: training.model,
            from_task: checkpoint.map(|(task, _)| task),
            checkpoint: checkpoint.map(|(_, checkpoint)| checkpoint),
            rescore: None,
            leak_check: false,
            datasets: self.datasets.clone(),
            apply_chat_template: self.apply_chat_template,
            max_length: self.max_length,
            seed: self.seed,
            pool: Pool::Fast,
        }
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        check_datasets(&self.datasets, "spec.checkpoint_evaluation.datasets", errors);
        errors.require(
            self.max_length.is_none_or(|n| n >= 16),
            "spec.checkpoint_evaluation.max_length",
            "must be at least 16 tokens",
        );
    }
}
