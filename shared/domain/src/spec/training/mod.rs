//! A training task: the manual's form, field by field.

mod check;
mod choices;
mod options;
mod targets;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CheckpointEvaluation, Pool, TokenizerOptions};
use crate::id::{DatasetId, ModelId};

pub use choices::{DpoLoss, Export, LossOn, Method, Precision, Schedule, Split, TrainingKind, Zero};
pub use options::{AdapterOptions, DpoOptions, FullOptions};
pub use targets::{AllLinear, LINEAR_NAMES, TargetModules};

/// Make a model from data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Pretraining, supervised fine-tuning, or preference optimisation.
    pub task_type: TrainingKind,
    /// The base model; for `pretrain` its architecture and tokenizer only.
    pub model: ModelId,
    /// A tokenizer to learn from the dataset; `pretrain` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerOptions>,
    /// Which parameters are trained and how the base is stored.
    pub method: Method,
    /// Tokens of one training sequence.
    #[serde(default = "default_sequence_length")]
    pub sequence_length: usize,
    /// Precision of the matrix products.
    #[serde(default)]
    pub precision: Precision,
    /// The training data.
    pub dataset: DatasetId,
    /// Shares of training, validation and test rows in per cent.
    #[serde(default)]
    pub split: Split,
    /// Passes over the training part.
    #[serde(default = "one_f64")]
    pub epochs: f64,
    /// Stop after this many steps.
    #[serde(default)]
    pub max_steps: Option<u64>,
    /// Peak learning rate; the method's default when absent.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Learning-rate decay.
    #[serde(default)]
    pub schedule: Schedule,
    /// Share of the steps spent warming up.
    #[serde(default)]
    pub warmup_ratio: f64,
    /// Decoupled weight decay of the matrices.
    #[serde(default)]
    pub weight_decay: f64,
    /// The global gradient norm is clipped to this; 0 does not clip.
    #[serde(default = "one_f64")]
    pub max_grad_norm: f64,
    /// Which tokens carry loss; `dpo` always compares whole completions.
    #[serde(default)]
    pub loss_on: LossOn,
    /// Rows of one forward and backward pass.
    #[serde(default = "one")]
    pub micro_batch_size: usize,
    /// Passes accumulated into one step.
    #[serde(default = "one")]
    pub gradient_accumulation_steps: usize,
    /// Rows of one step; micro batch × accumulation × data-parallel size when absent.
    #[serde(default)]
    pub global_batch_size: Option<usize>,
    /// Steps between checkpoints.
    #[serde(default = "default_save_interval")]
    pub save_interval: u64,
    /// Checkpoints the worker keeps on its own disk.
    #[serde(default = "default_keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// Steps between validation passes; at each checkpoint and at the end when absent.
    #[serde(default)]
    pub eval_interval: Option<u64>,
    /// Stop when this many validation passes in a row brought no lower loss.
    #[serde(default)]
    pub early_stopping_patience: Option<u64>,
    /// Which weights the trained model has.
    #[serde(default)]
    pub export: Export,
    /// Steps between metric points.
    #[serde(default = "one_u64")]
    pub log_interval: u64,
    /// Lay several rows into one sequence; they never attend to each other.
    #[serde(default)]
    pub packing: bool,
    /// Seed of everything random.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Options of `full`; refused for the other methods.
    #[serde(default)]
    pub full: Option<FullOptions>,
    /// Options of `lora` and `qlora`; refused for `full`.
    #[serde(default)]
    pub lora: Option<AdapterOptions>,
    /// Options of `dpo`; refused for the other task types.
    #[serde(default)]
    pub dpo: Option<DpoOptions>,
    /// Benchmarks on which every checkpoint of the save interval is scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_evaluation: Option<CheckpointEvaluation>,
    /// The resource pool.
    #[serde(default)]
    pub pool: Pool,
}

/// The peak learning rate where none is given.
pub const fn default_learning_rate(task_type: TrainingKind, method: Method) -> f64 {
    match (task_type, method) {
        (TrainingKind::Dpo, _) => 5e-6,
        (_, Method::Full) => 2e-5,
        (_, Method::Lora | Method::Qlora) => 2e-4,
    }
}

/// Nodes of the `fast` pool.
const FAST_NODES: usize = 1;
impl TrainingSpec {
    /// Ranks that see different rows, on a pool of one node.
    pub const fn data_parallel(&self) -> usize {
        FAST_NODES
    }

    /// Whether the checkpoint of this step is one of the save interval: a pause, a stop and a better validation leave others.
    pub const fn is_save_step(&self, step: u64) -> bool {
        step.is_multiple_of(self.save_interval)
    }

    /// Rows of one optimizer step.
    pub fn rows_per_step(&self) -> usize {
        self.micro_batch_size
            .saturating_mul(self.gradient_accumulation_steps)
            .saturating_mul(self.data_parallel())
    }
}

const fn default_sequence_length() -> usize {
    2048
}
const fn one_f64() -> f64 {
    1.0
}
const fn one() -> usize {
    1
}
const fn one_u64() -> u64 {
    1
}
const fn default_save_interval() -> u64 {
    100
}
const fn default_keep_checkpoints() -> usize {
    2
}
const fn default_seed() -> u64 {
    42
}
