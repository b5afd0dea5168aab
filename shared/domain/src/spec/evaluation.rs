//! An evaluation task.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ModelSource, Pool, benchmark};
use crate::{
    field_error::FieldErrors,
    id::{DatasetId, ModelId},
};

/// Score a model on one or more benchmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Where the model comes from.
    pub model_source: ModelSource,
    /// The model.
    pub model: ModelId,
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

/// One benchmark of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationDataset {
    /// A task name known to the evaluator, such as `arc_easy`.
    pub benchmark: String,
    /// The rows.
    pub dataset: DatasetId,
    /// Examples in the prompt; the benchmark's own default when absent.
    #[serde(default)]
    pub num_fewshot: Option<usize>,
    /// Score the first n rows only.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// More rows of one dataset than this are never asked for.
pub const MOST_ROWS: u64 = 10_000_000;

/// Evaluations of up to this many datasets are free (the manual's rule).
pub const FREE_DATASETS: usize = 2;

impl EvaluationSpec {
    /// Whether the manual's pricing rule makes this evaluation free.
    pub fn is_free(&self) -> bool {
        self.datasets.len() <= FREE_DATASETS
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.require(!self.datasets.is_empty(), "spec.datasets", "name at least one evaluation dataset");
        errors.require(self.datasets.len() <= 64, "spec.datasets", "at most 64 datasets in one task");
        for (i, dataset) in self.datasets.iter().enumerate() {
            self.check_benchmark(i, errors);
            errors.require(
                dataset.limit.is_none_or(|rows| (1..=MOST_ROWS).contains(&(rows as u64))),
                &format!("spec.datasets[{i}].limit"),
                format!("must be 1 to {MOST_ROWS}"),
            );
            errors.require(
                dataset.num_fewshot.is_none_or(|n| n <= 100),
                &format!("spec.datasets[{i}].num_fewshot"),
                "must be at most 100",
            );
        }
        errors.require(
            self.max_length.is_none_or(|n| n >= 16),
            "spec.max_length",
            "must be at least 16 tokens",
        );
        errors.require(self.pool == Pool::Fast, "spec.pool", "evaluation runs on one node: choose `fast`");
    }

    fn check_benchmark(&self, i: usize, errors: &mut FieldErrors) {
        let name = &self.datasets[i].benchmark;
        let field = format!("spec.datasets[{i}].benchmark");
        if !benchmark::is_benchmark(name) {
            errors.push(field, "is no benchmark of this platform: name one such as `arc_easy`");
            return;
        }
        let before = self.datasets[..i].iter().position(|other| benchmark::overlap(&other.benchmark, name));
        if let Some(before) = before {
            errors.push(field, format!("is scored by `spec.datasets[{before}]` already"));
        }
    }
}
