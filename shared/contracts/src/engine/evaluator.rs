//! `anneal-evaluator run SPEC.json`: which model, which benchmarks.
//!
//! Writes `results.json` and `samples_<task>.jsonl` in lm-evaluation-harness's shape.
//! `result` figures: `results_path`, `samples` (count), `seconds`, `peak_rss_bytes`, `scores`
//! (`{task: {"acc,none": …}}`), and what they depend on: `settings` (`{"precision": …}`) and `benchmarks`
//! (`{task: {"num_fewshot", "samples", "higher_is_better": {"acc": true}}}`), groups among both.
//! `leaks` (`{task: {"checked", "found", "share"}}`) is there where leaks were looked for; `rescored` is true where the answers are an earlier evaluation's.

use serde::{Deserialize, Serialize};

use super::ModelInput;

/// The evaluator's spec file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluatorSpec {
    /// The model to score.
    pub model: ModelInput,
    /// What the results call it; `model` when absent.
    #[serde(default)]
    pub model_name: Option<String>,
    /// What computes the log-probabilities.
    #[serde(default)]
    pub backend: Backend,
    /// `auto`, `cpu` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// `fp32` or `bf16`.
    #[serde(default = "fp32")]
    pub precision: String,
    /// Benchmarks, in order.
    pub tasks: Vec<EvaluationTask>,
    /// Render each context as one user message of the model's chat template.
    #[serde(default)]
    pub apply_chat_template: bool,
    /// Most tokens of one forward pass; never changes a score.
    #[serde(default)]
    pub batch_tokens: Option<usize>,
    /// CPU threads; 0 takes all.
    #[serde(default)]
    pub threads: usize,
    /// Seed of few-shot sampling (and of sampled generation).
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Longest context in tokens; the model's own limit when absent.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Resamples behind a standard error that has no closed form; 0 gives no standard errors.
    #[serde(default = "default_bootstrap")]
    pub bootstrap_iterations: usize,
    /// The share of a split's rows, 0 to 1, that may be unusable before its task fails.
    #[serde(default = "default_bad_rows")]
    pub bad_row_share: f64,
    /// Continue from the samples already in `output_dir`.
    #[serde(default = "yes")]
    pub resume: bool,
    /// A checkpoint folder to continue from: its samples are not scored again.
    #[serde(default)]
    pub resume_from: Option<String>,
    /// The output folder of an earlier evaluation. Its answers are read and scored again, and the model is not asked: model,
    /// settings and prompts must be those of then; filters, metrics and a smaller limit may be others.
    #[serde(default)]
    pub rescore_from: Option<String>,
    /// Training data in which the evaluated rows are looked for: a row is found by 13 words in a row that both have, a shorter
    /// one whole. What is found lands in the results and, row by row, in `leaks.json`.
    #[serde(default)]
    pub leak_check: Vec<TrainingData>,
    /// Where checkpoint folders are written; without it none are, and `output_dir` alone holds what was scored.
    #[serde(default)]
    pub checkpoint_dir: Option<String>,
    /// Least seconds between two checkpoints. One is written at a stop in any case.
    #[serde(default = "default_checkpoint_seconds")]
    pub checkpoint_seconds: u64,
    /// Where everything is written.
    pub output_dir: String,
}

/// One benchmark of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationTask {
    /// A built-in task's name, or the path of a task file.
    pub name: String,
    /// The rows: a file, or a folder of splits.
    pub dataset: String,
    /// The name in results and files in place of the task's own; needed where one task is named twice. Of several tasks
    /// it takes the place of their common beginning (`ceval-valid_law` becomes `mine_law`).
    #[serde(default)]
    pub alias: Option<String>,
    /// Examples in the prompt; the task's own default when absent.
    #[serde(default)]
    pub num_fewshot: Option<usize>,
    /// Score the first n rows only.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Data that a model was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingData {
    /// What the report calls it.
    pub name: String,
    /// A file, or a folder of data files.
    pub path: String,
}

/// What computes the log-probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// ONNX Runtime for a compiled folder, candle for everything else.
    #[default]
    Auto,
    /// Our own decoder.
    Candle,
    /// ONNX Runtime.
    Onnxruntime,
}

fn auto() -> String {
    "auto".to_owned()
}
fn fp32() -> String {
    "fp32".to_owned()
}
const fn default_seed() -> u64 {
    1234
}
const fn default_bootstrap() -> usize {
    100_000
}
const fn default_bad_rows() -> f64 {
    0.01
}
const fn default_checkpoint_seconds() -> u64 {
    60
}
const fn yes() -> bool {
    true
}
