//! `anneal-evaluator run SPEC.json`: which model, which benchmarks.
//!
//! Writes `results.json` and `samples_<task>.jsonl` in lm-evaluation-harness's shape.
//! `result` figures: `results_path`, `samples` (count), `seconds`, `peak_rss_bytes`, and `scores`
//! (`{task: {"acc,none": …}}`).

use serde::{Deserialize, Serialize};

use super::ModelInput;

/// The evaluator's spec file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluatorSpec {
    /// The model to score.
    pub model: ModelInput,
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
    /// Continue from the samples already in `output_dir`.
    #[serde(default = "yes")]
    pub resume: bool,
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
const fn yes() -> bool {
    true
}
