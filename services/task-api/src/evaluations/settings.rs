//! What a score depends on besides the model: scores of other settings are not held against each other.

use anneal_domain::spec::{EvaluationDataset, EvaluationSpec};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// The settings of one score.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(crate) struct Settings {
    pub(crate) dataset: String,
    pub(crate) dataset_version: Option<i64>,
    /// Examples in the prompt. Absent where the benchmark's own number was taken and the evaluation did not say which.
    pub(crate) num_fewshot: Option<u64>,
    /// Only so many rows were scored; all when absent.
    pub(crate) limit: Option<u64>,
    /// Prompts were wrapped by the model's chat template.
    pub(crate) apply_chat_template: bool,
    /// Longest context that was asked for; the model's own when absent.
    pub(crate) max_length: Option<u64>,
    /// Seed of the examples that was asked for.
    pub(crate) seed: Option<u64>,
    /// The type of number that computed the answers; absent where the evaluation did not say.
    pub(crate) precision: Option<String>,
    /// SHA-256 of the definition, where the benchmark is a user's own.
    pub(crate) definition_sha256: Option<String>,
}

impl Settings {
    /// Those of an evaluation's entry: as the specification has them, and as the evaluator said where it left them open.
    pub(crate) fn of(
        spec: &EvaluationSpec,
        entry: &EvaluationDataset,
        dataset_version: Option<i64>,
        said: &Value,
        of_benchmark: &Value,
    ) -> Self {
        let asked = entry.num_fewshot.map(|examples| examples as u64);
        let definition =
            |task| serde_json::to_vec(task).map(Sha256::digest).map(hex::encode).unwrap_or_default();
        Self {
            dataset: entry.dataset.to_string(),
            dataset_version,
            num_fewshot: asked.or_else(|| of_benchmark["num_fewshot"].as_u64()),
            limit: entry.limit.map(|rows| rows as u64),
            apply_chat_template: spec.apply_chat_template,
            max_length: spec.max_length.map(|tokens| tokens as u64),
            seed: spec.seed,
            precision: said["precision"].as_str().map(str::to_owned),
            definition_sha256: entry.task.as_ref().map(definition),
        }
    }
}
