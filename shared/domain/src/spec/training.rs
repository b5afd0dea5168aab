//! A training task: the manual's form, field by field.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CheckpointEvaluation, Pool, TokenizerOptions};
use crate::{
    field_error::FieldErrors,
    id::{DatasetId, ModelId},
};

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

/// The type of a training task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrainingKind {
    /// From random initialisation, on plain text.
    Pretrain,
    /// Supervised fine-tuning.
    Sft,
    /// Direct preference optimisation.
    Dpo,
}

/// Which parameters are trained and how the base is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Every parameter.
    Full,
    /// Low-rank adapters on a frozen base.
    Lora,
    /// Low-rank adapters on a frozen base stored in NF4.
    Qlora,
}

/// Precision of the matrix products; master weights stay fp32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    Fp32,
    /// Mixed with bfloat16.
    #[default]
    Bf16,
    /// Mixed with half precision, under dynamic loss scaling.
    Fp16,
}

/// Learning-rate decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine down to the floor.
    #[default]
    Cosine,
    /// A straight line down to the floor.
    Linear,
    /// No decay.
    Constant,
}

/// Loss of preference optimisation over the reward margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DpoLoss {
    /// `−log σ(margin)` (Rafailov et al. 2023).
    #[default]
    Sigmoid,
    /// `(margin/β − 1/(2β))²` (Azar et al. 2023).
    Ipo,
    /// `max(0, 1 − margin)` (Zhao et al. 2023).
    Hinge,
}

/// Which tokens carry loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LossOn {
    /// Every assistant turn.
    #[default]
    Assistant,
    /// The last assistant turn.
    Completion,
    /// Every token.
    All,
}

/// Which weights the trained model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Export {
    /// Those with the lowest validation loss; where nothing is validated, the last.
    #[default]
    Best,
    /// Those after the last step.
    Last,
}

/// Sharding of optimizer state (Rajbhandari et al. 2020).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Zero {
    /// Optimizer state and gradients are sharded.
    #[default]
    Zero2,
}

/// Which linears carry an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TargetModules {
    /// `"all-linear"`.
    Preset(AllLinear),
    /// Names such as `["q_proj", "v_proj"]`.
    Names(Vec<String>),
}

/// The preset name `all-linear`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum AllLinear {
    /// All seven linears of a layer.
    #[serde(rename = "all-linear")]
    AllLinear,
}

impl Default for TargetModules {
    fn default() -> Self {
        Self::Preset(AllLinear::AllLinear)
    }
}

/// The linears of a decoder layer.
pub const LINEAR_NAMES: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

impl TargetModules {
    /// Whether the linear of this name carries an adapter.
    pub fn contains(&self, linear: &str) -> bool {
        match self {
            Self::Preset(AllLinear::AllLinear) => LINEAR_NAMES.contains(&linear),
            Self::Names(names) => names.iter().any(|name| name == linear),
        }
    }
}

/// Shares of training, validation and test rows in per cent, such as `[98, 2, 0]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Split(pub [u32; 3]);

impl Default for Split {
    fn default() -> Self {
        Self([98, 2, 0])
    }
}

/// Advanced options of `full`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FullOptions {
    /// The floor the learning rate decays to.
    pub min_learning_rate: f64,
    /// Attention that never writes the score matrix.
    pub flash_attention: bool,
    /// Split the sequence dimension within a tensor-parallel group.
    pub sequence_parallel: bool,
    /// Tensor-parallel size.
    pub tensor_parallel: usize,
    /// Pipeline-parallel size.
    pub pipeline_parallel: usize,
    /// Recompute activations in the backward pass.
    pub gradient_checkpointing: bool,
}

impl Default for FullOptions {
    fn default() -> Self {
        Self {
            min_learning_rate: 0.0,
            flash_attention: true,
            sequence_parallel: true,
            tensor_parallel: 1,
            pipeline_parallel: 1,
            gradient_checkpointing: false,
        }
    }
}

/// Advanced options of `lora` and `qlora`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdapterOptions {
    /// Inner dimension.
    pub rank: usize,
    /// Scale numerator.
    pub alpha: f64,
    /// Dropout on the adapter's input.
    pub dropout: f64,
    /// Which linears are adapted.
    pub target_modules: TargetModules,
    /// Optimizer-state sharding.
    pub zero: Zero,
    /// Recompute activations in the backward pass.
    pub gradient_checkpointing: bool,
    /// Quantise the NF4 block scales too; `qlora` only.
    pub double_quantization: bool,
}

impl Default for AdapterOptions {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            target_modules: TargetModules::default(),
            zero: Zero::Zero2,
            gradient_checkpointing: false,
            double_quantization: false,
        }
    }
}

/// Options of `dpo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpoOptions {
    /// Strength of the pull towards the reference.
    pub beta: f64,
    /// Loss over the reward margin.
    pub loss: DpoLoss,
    /// Share of pairs assumed to be labelled the wrong way round.
    pub label_smoothing: f64,
}

impl Default for DpoOptions {
    fn default() -> Self {
        Self { beta: 0.1, loss: DpoLoss::Sigmoid, label_smoothing: 0.0 }
    }
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
/// Rows of the largest optimizer step.
const LARGEST_STEP: usize = 1 << 20;

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

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        self.check_tokenizer(errors);
        self.check_combination(errors);
        self.check_schedule(errors);
        self.check_batch(errors);
        self.check_regularisation(errors);
        self.check_validation(errors);
        if let Some(full) = &self.full {
            full.check(self.rate(), self.schedule, errors);
        }
        if let Some(lora) = &self.lora {
            lora.check(self.method, errors);
        }
        if let Some(dpo) = &self.dpo {
            dpo.check(errors);
        }
        if let Some(evaluation) = &self.checkpoint_evaluation {
            evaluation.check(errors);
        }
        errors.require(
            self.pool == Pool::Fast,
            "spec.pool",
            "no `turbo` pool of several nodes is connected here: choose `fast`",
        );
    }

    /// The peak learning rate, given or by default.
    fn rate(&self) -> f64 {
        self.learning_rate.unwrap_or(default_learning_rate(self.task_type, self.method))
    }

    fn check_combination(&self, errors: &mut FieldErrors) {
        match (self.task_type, self.method) {
            (TrainingKind::Pretrain, Method::Lora | Method::Qlora) => {
                errors.push("spec.method", "`pretrain` trains every parameter: choose `full`");
            }
            (TrainingKind::Dpo, Method::Full) => {
                errors.push("spec.method", "`dpo` needs a frozen reference: choose `lora` or `qlora`");
            }
            _ => {}
        }
        let adapted = self.method != Method::Full;
        errors.require(!adapted || self.full.is_none(), "spec.full", "belongs to method `full` only");
        errors.require(
            adapted || self.lora.is_none(),
            "spec.lora",
            "belongs to methods `lora` and `qlora` only",
        );
        errors.require(
            self.task_type == TrainingKind::Dpo || self.dpo.is_none(),
            "spec.dpo",
            "belongs to task type `dpo` only",
        );
        errors.require(
            self.task_type != TrainingKind::Dpo || !self.packing,
            "spec.packing",
            "preference pairs are never packed",
        );
        match (self.task_type, self.loss_on) {
            (TrainingKind::Pretrain, LossOn::Completion) => {
                errors.push("spec.loss_on", "plain text has no completion");
            }
            (TrainingKind::Dpo, LossOn::Completion | LossOn::All) => {
                errors.push("spec.loss_on", "`dpo` always compares whole completions");
            }
            _ => {}
        }
        let sum: u64 = self.split.0.iter().map(|part| u64::from(*part)).sum();
        errors.require(sum == 100, "spec.split", format!("the shares must sum to 100, not {sum}"));
        errors.require(self.split.0[0] > 0, "spec.split", "the training share must be more than 0");
    }

    fn check_tokenizer(&self, errors: &mut FieldErrors) {
        let Some(tokenizer) = self.tokenizer else { return };
        errors.require(
            self.task_type == TrainingKind::Pretrain,
            "spec.tokenizer",
            "only `pretrain` starts from nothing; a trained model keeps its tokenizer",
        );
        tokenizer.check(errors);
    }

    fn check_schedule(&self, errors: &mut FieldErrors) {
        errors.require(
            (8..=1_048_576).contains(&self.sequence_length),
            "spec.sequence_length",
            "must be 8 to 1048576 tokens",
        );
        errors.require(
            self.epochs.is_finite() && self.epochs > 0.0 && self.epochs <= 10_000.0,
            "spec.epochs",
            "must be more than 0 and at most 10000",
        );
        errors.require(self.max_steps != Some(0), "spec.max_steps", "must be at least 1");
        errors.require(
            self.learning_rate.is_none_or(|rate| rate.is_finite() && rate > 0.0 && rate <= 1.0),
            "spec.learning_rate",
            "must be more than 0 and at most 1",
        );
        errors.require(
            (0.0..1.0).contains(&self.warmup_ratio),
            "spec.warmup_ratio",
            "must be at least 0 and less than 1",
        );
        errors.require(self.save_interval >= 1, "spec.save_interval", "must be at least 1 step");
        errors.require(self.log_interval >= 1, "spec.log_interval", "must be at least 1 step");
    }

    fn check_regularisation(&self, errors: &mut FieldErrors) {
        for (field, value) in
            [("spec.weight_decay", self.weight_decay), ("spec.max_grad_norm", self.max_grad_norm)]
        {
            errors.require(value.is_finite() && value >= 0.0, field, "must be at least 0");
        }
    }

    fn check_validation(&self, errors: &mut FieldErrors) {
        errors.require(self.keep_checkpoints >= 1, "spec.keep_checkpoints", "must be at least 1");
        for (field, value) in [
            ("spec.eval_interval", self.eval_interval),
            ("spec.early_stopping_patience", self.early_stopping_patience),
        ] {
            errors.require(value != Some(0), field, "must be at least 1");
            errors.require(
                value.is_none() || self.split.0[1] > 0,
                field,
                "needs a validation share in `split`",
            );
        }
    }

    fn check_batch(&self, errors: &mut FieldErrors) {
        let whole = 1..=65_536;
        errors.require(
            whole.contains(&self.micro_batch_size),
            "spec.micro_batch_size",
            "must be 1 to 65536 rows",
        );
        errors.require(
            whole.contains(&self.gradient_accumulation_steps),
            "spec.gradient_accumulation_steps",
            "must be 1 to 65536",
        );
        let product = self.rows_per_step();
        errors.require(
            product <= LARGEST_STEP,
            "spec.gradient_accumulation_steps",
            format!("micro batch × accumulation = {product} rows: a step has at most {LARGEST_STEP}"),
        );
        if let Some(global) = self.global_batch_size {
            errors.require(
                global == product,
                "spec.global_batch_size",
                format!(
                    "must equal micro batch × accumulation × data-parallel size = {product}, not {global}"
                ),
            );
        }
    }
}

impl FullOptions {
    /// `rate` is the peak learning rate, given or by default.
    fn check(&self, rate: f64, schedule: Schedule, errors: &mut FieldErrors) {
        let floor = self.min_learning_rate;
        errors.require(
            floor.is_finite() && floor >= 0.0 && (rate <= 0.0 || floor <= rate),
            "spec.full.min_learning_rate",
            format!("must be at least 0 and at most the learning rate, which is {rate}"),
        );
        errors.require(
            floor == 0.0 || schedule != Schedule::Constant,
            "spec.full.min_learning_rate",
            "a `constant` schedule never decays to it",
        );
        errors.require(
            self.flash_attention,
            "spec.full.flash_attention",
            "cannot be switched off: the score matrix is never written",
        );
        let ranks = self.tensor_parallel.saturating_mul(self.pipeline_parallel);
        for (field, size) in [
            ("spec.full.tensor_parallel", self.tensor_parallel),
            ("spec.full.pipeline_parallel", self.pipeline_parallel),
        ] {
            errors.require(
                size >= 1 && ranks <= FAST_NODES,
                field,
                format!("tensor × pipeline parallel size must divide the pool's {FAST_NODES} node"),
            );
        }
    }
}

impl AdapterOptions {
    fn check(&self, method: Method, errors: &mut FieldErrors) {
        errors.require(
            method == Method::Qlora || !self.double_quantization,
            "spec.lora.double_quantization",
            "only method `qlora` quantises",
        );
        errors.require((1..=1024).contains(&self.rank), "spec.lora.rank", "must be 1 to 1024");
        errors.require(self.alpha.is_finite() && self.alpha > 0.0, "spec.lora.alpha", "must be more than 0");
        errors.require(
            (0.0..1.0).contains(&self.dropout),
            "spec.lora.dropout",
            "must be at least 0 and less than 1",
        );
        if let TargetModules::Names(names) = &self.target_modules {
            errors.require(
                !names.is_empty(),
                "spec.lora.target_modules",
                "name at least one linear, or `all-linear`",
            );
            for name in names.iter().filter(|name| !LINEAR_NAMES.contains(&name.as_str())) {
                errors.push(
                    "spec.lora.target_modules",
                    format!("unknown linear `{name}`: choose from {}", LINEAR_NAMES.join(", ")),
                );
            }
        }
    }
}

impl DpoOptions {
    fn check(&self, errors: &mut FieldErrors) {
        errors.require(self.beta.is_finite() && self.beta > 0.0, "spec.dpo.beta", "must be more than 0");
        errors.require(
            (0.0..0.5).contains(&self.label_smoothing),
            "spec.dpo.label_smoothing",
            "must be at least 0 and less than 0.5",
        );
        errors.require(
            self.label_smoothing == 0.0 || self.loss == DpoLoss::Sigmoid,
            "spec.dpo.label_smoothing",
            "only the `sigmoid` loss is smoothed",
        );
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
