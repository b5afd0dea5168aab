//! `anneal-trainer run SPEC.json`: what to train, on what, how.
//!
//! `result` figures: `model_dir`, `adapter_dir`, `steps`, `final_loss`, `num_tokens`, `trained_tokens`, `best_step`, `best_eval_loss`,
//! `exported_step` (the step whose weights the result has), `test_loss`, `seconds`, `peak_rss_bytes`.
//!
//! A field that a task type or method does not use is refused unless it has its default value.

use serde::{Deserialize, Serialize};

use anneal_domain::spec::TokenizerOptions;
pub use anneal_domain::spec::{
    DpoLoss, Export, LossOn, Method, Precision, Schedule, TargetModules, TrainingKind, Zero,
};

/// The trainer's spec file. Unknown keys are refused; every key that has a default may be left out.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the spec file, not a state")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerSpec {
    /// Pretraining, supervised fine-tuning, or direct preference optimisation.
    pub task_type: TrainingKind,
    /// Which parameters are trained and how the base is stored.
    pub method: Method,
    /// Precision of the matrix products; master weights stay fp32.
    pub precision: Precision,
    /// `auto`, `cpu` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// CPU threads; 0 takes all.
    #[serde(default)]
    pub threads: usize,
    /// Hugging Face folder or `.gguf` file; for `pretrain` its architecture and tokenizer only.
    pub model: String,
    /// What an adapter names as its base; `model` when absent.
    #[serde(default)]
    pub model_name: Option<String>,
    /// A tokenizer to learn from the training rows, in place of the model's; `pretrain` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerOptions>,
    /// A safetensors file that replaces the random initialisation of `pretrain`.
    #[serde(default)]
    pub initial_weights: Option<String>,
    /// Dataset file, or a folder that holds one.
    pub dataset: String,
    /// `auto`, or a format name of `anneal-datasets`.
    #[serde(default = "auto")]
    pub dataset_format: String,
    /// Train, validation and test shares in per cent.
    #[serde(default = "all_train")]
    pub split: [u32; 3],
    /// Shuffle rows anew each epoch, by seed; `false` keeps file order.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Seed of everything random.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Tokens of one training sequence.
    #[serde(default = "default_sequence_length")]
    pub sequence_length: usize,
    /// Lay several rows into one sequence; they never attend to each other.
    #[serde(default)]
    pub packing: bool,
    /// Which tokens carry loss (`dpo`: always those of whole completions).
    #[serde(default)]
    pub loss_on: LossOn,
    /// Passes over the training part.
    #[serde(default = "one_f64")]
    pub epochs: f64,
    /// Stop after this many optimizer steps; the schedule is laid over them.
    #[serde(default)]
    pub max_steps: Option<u64>,
    /// Rows of one forward and backward pass.
    #[serde(default = "one")]
    pub micro_batch_size: usize,
    /// Passes accumulated into one step.
    #[serde(default = "one")]
    pub gradient_accumulation_steps: usize,
    /// Rows of one step; must equal micro batch × accumulation × data-parallel size.
    #[serde(default)]
    pub global_batch_size: Option<usize>,
    /// Optimizer and learning-rate schedule.
    #[serde(default)]
    pub optimizer: OptimizerSpec,
    /// Adapter settings of `lora` and `qlora`.
    #[serde(default)]
    pub lora: LoraSpec,
    /// Settings of `dpo`.
    #[serde(default)]
    pub dpo: Dpo,
    /// Attention that never writes the score matrix.
    #[serde(default = "yes")]
    pub flash_attention: bool,
    /// Recompute activations in the backward pass to save memory.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// How the work is spread over ranks.
    #[serde(default)]
    pub parallel: Parallel,
    /// Steps between metric lines.
    #[serde(default = "one_u64")]
    pub log_interval: u64,
    /// Steps between validation passes; `null` validates at each save and at the end.
    #[serde(default)]
    pub eval_interval: Option<u64>,
    /// Stop when this many validation passes in a row brought no lower loss.
    #[serde(default)]
    pub early_stopping_patience: Option<u64>,
    /// Steps between checkpoints; one more is written wherever validation brought the lowest loss so far.
    #[serde(default = "default_save_interval")]
    pub save_interval: u64,
    /// Which weights the result has.
    #[serde(default)]
    pub export: Export,
    /// Checkpoints kept on disk; the best one is kept besides.
    #[serde(default = "default_keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// A checkpoint folder to continue from, exactly.
    #[serde(default)]
    pub resume_from: Option<String>,
    /// Where everything is written.
    pub output_dir: String,
}

/// AdamW and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    /// Peak learning rate; `null` takes the default of the method (sft 2e-5, lora 2e-4, dpo 5e-6).
    pub learning_rate: Option<f64>,
    /// The floor the schedule decays to; none with `constant`.
    pub min_learning_rate: f64,
    /// Decay after warm-up.
    pub schedule: Schedule,
    /// Share of the steps spent warming up.
    pub warmup_ratio: f64,
    /// AdamW β₁.
    pub beta1: f64,
    /// AdamW β₂.
    pub beta2: f64,
    /// AdamW ε.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Global gradient norm is clipped to this; 0 does not clip.
    pub max_grad_norm: f64,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            learning_rate: None,
            min_learning_rate: 0.0,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

/// LoRA (Hu et al. 2021): `y = W x + (alpha / rank) · B (A x)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraSpec {
    /// Inner dimension r.
    pub rank: usize,
    /// Scale numerator.
    pub alpha: f64,
    /// Dropout on the adapter's input.
    pub dropout: f64,
    /// Which linears are adapted.
    pub target_modules: TargetModules,
    /// A safetensors file (PEFT names) that replaces the random initialisation.
    pub initial_adapter: Option<String>,
    /// Quantise the NF4 block scales too (`qlora`).
    pub double_quantization: bool,
}

impl Default for LoraSpec {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            target_modules: TargetModules::default(),
            initial_adapter: None,
            double_quantization: false,
        }
    }
}

/// Direct preference optimisation (Rafailov et al. 2023).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpo {
    /// Strength of the pull towards the reference.
    pub beta: f64,
    /// Loss over the reward margin.
    pub loss: DpoLoss,
    /// Share of pairs assumed to be labelled the wrong way round.
    pub label_smoothing: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self { beta: 0.1, loss: DpoLoss::Sigmoid, label_smoothing: 0.0 }
    }
}

/// How the work is spread over ranks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parallel {
    /// Tensor-parallel size.
    pub tensor: usize,
    /// Pipeline-parallel size.
    pub pipeline: usize,
    /// Split the sequence dimension within a tensor-parallel group; in a group of one there is nothing to split.
    pub sequence: bool,
    /// Optimizer-state sharding.
    pub zero: Zero,
}

impl Default for Parallel {
    fn default() -> Self {
        Self { tensor: 1, pipeline: 1, sequence: true, zero: Zero::Zero2 }
    }
}

fn auto() -> String {
    "auto".to_owned()
}
const fn all_train() -> [u32; 3] {
    [100, 0, 0]
}
const fn yes() -> bool {
    true
}
const fn default_seed() -> u64 {
    42
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
