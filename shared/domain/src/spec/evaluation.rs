//! An evaluation task.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ModelReference, ModelSource, Pool, benchmark, user_task};
use crate::{
    field_error::FieldErrors,
    id::{DatasetId, ModelId, TaskId},
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
    /// The name of its scores and samples where the benchmark's own will not do: two entries of one benchmark need two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// A benchmark of the user's own, which `benchmark` names: the fields of a task file of lm-evaluation-harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub task: Option<Map<String, Value>>,
}

impl EvaluationDataset {
    /// The name of its scores.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.benchmark)
    }

    /// Under which name the results have its scores of a benchmark, or of a subject of its own benchmark; `None` when it
    /// scores another one. `benchmark` is the evaluator's own name ([`benchmark::benchmark_name`]).
    pub fn score_name(&self, benchmark: &str) -> Option<String> {
        let own = if self.task.is_some() {
            self.benchmark.clone()
        } else {
            benchmark::benchmark_name(&self.benchmark)
        };
        let rest = benchmark.strip_prefix(own.as_str())?;
        let is_subject = rest.starts_with('_') && self.task.is_none();
        (rest.is_empty() || is_subject).then(|| format!("{}{rest}", self.alias.as_deref().unwrap_or(&own)))
    }
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
            self.check_names(i, errors);
            if let Some(task) = &dataset.task {
                user_task::check(task, &dataset.benchmark, &format!("spec.datasets[{i}].task"), errors);
            }
        }
        errors.require(
            self.max_length.is_none_or(|n| n >= 16),
            "spec.max_length",
            "must be at least 16 tokens",
        );
        errors.require(self.pool == Pool::Fast, "spec.pool", "evaluation runs on one node: choose `fast`");
    }

    /// One that the evaluator knows; or, with a task of the user's own, a plain name for it.
    fn check_benchmark(&self, i: usize, errors: &mut FieldErrors) {
        let EvaluationDataset { benchmark: name, task, .. } = &self.datasets[i];
        let field = format!("spec.datasets[{i}].benchmark");
        if task.is_none() {
            let why = "is no benchmark of this platform: name one such as `arc_easy`";
            errors.require(benchmark::is_benchmark(name), &field, why);
            return;
        }
        let plain =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let why = "the name of your own task has 1 to 64 letters, digits and `_`";
        errors.require(plain, &field, why);
    }

    /// An alias becomes part of file names and tells its entry from every other.
    fn check_names(&self, i: usize, errors: &mut FieldErrors) {
        let dataset = &self.datasets[i];
        if let Some(alias) = &dataset.alias {
            let plain = (1..=64).contains(&alias.len())
                && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            errors.require(
                plain,
                &format!("spec.datasets[{i}].alias"),
                "an alias has 1 to 64 letters, digits, `-` and `_`",
            );
        }
        if self.datasets[..i].iter().any(|other| other.name() == dataset.name()) {
            let field = if dataset.alias.is_some() { "alias" } else { "benchmark" };
            errors.push(
                format!("spec.datasets[{i}].{field}"),
                format!("`{}` is named twice: give one of them another `alias`", dataset.name()),
            );
        }
    }
}
