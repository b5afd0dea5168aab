//! One benchmark of an evaluation, and the rules of a list of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{benchmark, user_task};
use crate::{field_error::FieldErrors, id::DatasetId};

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

/// Benchmarks of one evaluation.
const MOST_DATASETS: usize = 64;

/// Checks the benchmarks of an evaluation, which stand in `field`.
pub(super) fn check_datasets(datasets: &[EvaluationDataset], field: &str, errors: &mut FieldErrors) {
    errors.require(!datasets.is_empty(), field, "name at least one evaluation dataset");
    errors.require(datasets.len() <= MOST_DATASETS, field, "at most 64 datasets in one task");
    for (place, dataset) in datasets.iter().enumerate() {
        let field = format!("{field}[{place}]");
        dataset.check(&field, errors);
        if datasets[..place].iter().any(|other| other.name() == dataset.name()) {
            let part = if dataset.alias.is_some() { "alias" } else { "benchmark" };
            errors.push(
                format!("{field}.{part}"),
                format!("`{}` is named twice: give one of them another `alias`", dataset.name()),
            );
        }
    }
}

impl EvaluationDataset {
    fn check(&self, field: &str, errors: &mut FieldErrors) {
        self.check_benchmark(&format!("{field}.benchmark"), errors);
        errors.require(
            self.limit.is_none_or(|rows| (1..=MOST_ROWS).contains(&(rows as u64))),
            &format!("{field}.limit"),
            format!("must be 1 to {MOST_ROWS}"),
        );
        errors.require(
            self.num_fewshot.is_none_or(|n| n <= 100),
            &format!("{field}.num_fewshot"),
            "must be at most 100",
        );
        // An alias becomes part of file names and tells its entry from every other.
        let is_plain = |alias: &String| {
            (1..=64).contains(&alias.len())
                && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        errors.require(
            self.alias.as_ref().is_none_or(is_plain),
            &format!("{field}.alias"),
            "an alias has 1 to 64 letters, digits, `-` and `_`",
        );
        if let Some(task) = &self.task {
            user_task::check(task, &self.benchmark, &format!("{field}.task"), errors);
        }
    }

    /// One that the evaluator knows; or, with a task of the user's own, a plain name for it.
    fn check_benchmark(&self, field: &str, errors: &mut FieldErrors) {
        let name = &self.benchmark;
        if self.task.is_none() {
            let why = "is no benchmark of this platform: name one such as `arc_easy`";
            errors.require(benchmark::is_benchmark(name), field, why);
            return;
        }
        let plain =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let why = "the name of your own task has 1 to 64 letters, digits and `_`";
        errors.require(plain, field, why);
    }
}
