//! What a spec asks for, checked: every field acts, or is refused here with the reason.

use std::path::PathBuf;

use anneal_contracts::engine::{
    Dpo, DpoLoss, LoraSpec, LossOn, Method, OptimizerSpec, Precision, Schedule, TargetModules, TrainerSpec,
    TrainingKind,
};
use anneal_datasets::{Format, Kind, Split};
use anneal_domain::spec::default_learning_rate;
use anneal_kernels::Compute;
use anneal_model::{LoraConfig, LoraInit, WeightMode};
use candle_core::Device;
use serde::Serialize;
use serde_json::json;

use super::{Error, Result, rank::Rank, vocabulary};

/// Most passes over the training part.
const MOST_EPOCHS: f64 = 10_000.0;

/// A spec that was checked, with the values that follow from it.
pub(crate) struct Plan {
    pub(crate) spec: TrainerSpec,
    pub(crate) rank: Rank,
    pub(crate) kind: Kind,
    pub(crate) format: Option<Format>,
    pub(crate) split: Split,
    pub(crate) compute: Compute,
    pub(crate) device: Device,
    pub(crate) weights: WeightMode,
    pub(crate) lora: Option<LoraConfig>,
    /// Peak learning rate, the method's default where the spec has none.
    pub(crate) learning_rate: f64,
    /// Items of one step over all ranks.
    pub(crate) global_batch: usize,
    pub(crate) output_dir: PathBuf,
}

impl Plan {
    /// Checks a spec.
    pub(crate) fn new(spec: TrainerSpec) -> Result<Self> {
        vocabulary::check(&spec)?;
        check_method(&spec)?;
        check_sizes(&spec)?;
        let by_default = default_learning_rate(spec.task_type, spec.method);
        let learning_rate = spec.optimizer.learning_rate.unwrap_or(by_default);
        check_optimizer(&spec.optimizer, learning_rate)?;
        check_adapter(&spec)?;
        check_objective(&spec)?;
        check_machine(&spec)?;
        let rank = Rank::ALONE;
        let global_batch = global_batch(&spec, rank)?;
        let format = match spec.dataset_format.as_str() {
            "auto" => None,
            name => Some(name.parse().map_err(|reason: String| Error::spec("dataset_format", reason))?),
        };
        let split =
            Split::deterministic(spec.split, spec.seed).map_err(|reason| Error::spec("split", reason))?;
        check_validation(&spec)?;
        Ok(Self {
            rank,
            kind: kind_of(spec.task_type),
            format,
            split,
            compute: compute_of(spec.precision),
            device: anneal_kernels::device(&spec.device)
                .map_err(|error| Error::spec("device", error.to_string()))?,
            weights: weights_of(&spec),
            lora: lora_of(&spec)?,
            learning_rate,
            global_batch,
            output_dir: PathBuf::from(&spec.output_dir),
            spec,
        })
    }
}

const fn kind_of(task: TrainingKind) -> Kind {
    match task {
        TrainingKind::Pretrain => Kind::Pretrain,
        TrainingKind::Sft => Kind::Sft,
        TrainingKind::Dpo => Kind::Preference,
    }
}

const fn compute_of(precision: Precision) -> Compute {
    match precision {
        Precision::Fp32 => Compute::F32,
        Precision::Bf16 => Compute::Bf16,
        Precision::Fp16 => Compute::F16,
    }
}

fn weights_of(spec: &TrainerSpec) -> WeightMode {
    match spec.method {
        Method::Full => WeightMode::Trainable,
        Method::Lora => WeightMode::Frozen,
        Method::Qlora => WeightMode::Nf4 { double_quant: spec.lora.double_quantization },
    }
}

fn lora_of(spec: &TrainerSpec) -> Result<Option<LoraConfig>> {
    if spec.method == Method::Full {
        return Ok(None);
    }
    let names = match &spec.lora.target_modules {
        TargetModules::Preset(_) => vec!["all-linear".to_owned()],
        TargetModules::Names(names) => names.clone(),
    };
    let targets = anneal_model::TargetModules::parse(&names)
        .map_err(|error| Error::spec("lora.target_modules", error.to_string()))?;
    let config = LoraConfig {
        rank: spec.lora.rank,
        alpha: spec.lora.alpha,
        dropout: spec.lora.dropout,
        targets,
        init: LoraInit::Seeded(spec.seed),
    };
    Ok(Some(config))
}

fn require(holds: bool, field: &str, reason: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::spec(field, reason)) }
}

/// A section that does not act must be as it is by default: whoever set a value expects it to act.
fn unused<T: Serialize>(section: &str, given: &T, default: &T, reason: &str) -> Result<()> {
    let (given, default) = (json!(given), json!(default));
    let fields = given.as_object().into_iter().flatten();
    match fields.into_iter().find(|(field, value)| default.get(field.as_str()) != Some(*value)) {
        Some((field, _)) => Err(Error::spec(format!("{section}.{field}"), reason)),
        None => Ok(()),
    }
}

fn check_method(spec: &TrainerSpec) -> Result<()> {
    match (spec.task_type, spec.method) {
        (TrainingKind::Pretrain, Method::Lora | Method::Qlora) => {
            Err(Error::spec("method", "pretraining trains every weight: choose `full`"))
        }
        (TrainingKind::Dpo, Method::Full) => {
            Err(Error::spec("method", "preference optimisation trains an adapter: choose `lora` or `qlora`"))
        }
        _ => Ok(()),
    }
}

fn check_sizes(spec: &TrainerSpec) -> Result<()> {
    require(
        (2..=1 << 20).contains(&spec.sequence_length),
        "sequence_length",
        "must be from 2 to 1048576 tokens",
    )?;
    require(spec.epochs > 0.0 && spec.epochs <= MOST_EPOCHS, "epochs", "must be above 0 and at most 10000")?;
    require(spec.max_steps != Some(0), "max_steps", "must be at least 1")?;
    require(spec.micro_batch_size >= 1, "micro_batch_size", "must be at least 1")?;
    require(spec.gradient_accumulation_steps >= 1, "gradient_accumulation_steps", "must be at least 1")?;
    require(spec.log_interval >= 1, "log_interval", "must be at least 1")?;
    require(spec.save_interval >= 1, "save_interval", "must be at least 1")?;
    require(spec.keep_checkpoints >= 1, "keep_checkpoints", "must be at least 1")?;
    require(spec.threads <= 1024, "threads", "must be at most 1024")
}

fn global_batch(spec: &TrainerSpec, rank: Rank) -> Result<usize> {
    let product = spec.micro_batch_size.checked_mul(spec.gradient_accumulation_steps);
    let product = product.and_then(|rows| rows.checked_mul(rank.count)).filter(|&rows| rows <= 1 << 20);
    let Some(product) = product else {
        return Err(Error::spec("micro_batch_size", "a step of more than 1048576 rows"));
    };
    match spec.global_batch_size {
        Some(global) if global != product => Err(Error::spec(
            "global_batch_size",
            format!(
                "{global} is not micro_batch_size {} × gradient_accumulation_steps {} × data-parallel size {}",
                spec.micro_batch_size, spec.gradient_accumulation_steps, rank.count
            ),
        )),
        _ => Ok(product),
    }
}

/// `rate` is the peak learning rate, given or by default.
fn check_optimizer(optimizer: &OptimizerSpec, rate: f64) -> Result<()> {
    let at_least_0 = |value: f64| value.is_finite() && value >= 0.0;
    let below_1 = |value: f64| (0.0..1.0).contains(&value);
    require(rate.is_finite() && rate > 0.0, "optimizer.learning_rate", "must be above 0")?;
    let floor = optimizer.min_learning_rate;
    let floor_field = "optimizer.min_learning_rate";
    require(at_least_0(floor), floor_field, "must be at least 0")?;
    require(floor <= rate, floor_field, &format!("must not be above the learning rate, which is {rate}"))?;
    let decays = optimizer.schedule != Schedule::Constant;
    require(decays || floor == 0.0, floor_field, "a `constant` schedule never decays to it")?;
    require((0.0..=1.0).contains(&optimizer.warmup_ratio), "optimizer.warmup_ratio", "must be from 0 to 1")?;
    require(below_1(optimizer.beta1), "optimizer.beta1", "must be at least 0 and below 1")?;
    require(below_1(optimizer.beta2), "optimizer.beta2", "must be at least 0 and below 1")?;
    let epsilon = optimizer.epsilon;
    require(epsilon.is_finite() && epsilon > 0.0, "optimizer.epsilon", "must be above 0")?;
    require(at_least_0(optimizer.weight_decay), "optimizer.weight_decay", "must be at least 0")?;
    require(
        at_least_0(optimizer.max_grad_norm),
        "optimizer.max_grad_norm",
        "must be at least 0 (0: no clipping)",
    )
}

fn check_adapter(spec: &TrainerSpec) -> Result<()> {
    let lora = &spec.lora;
    if spec.method == Method::Full {
        return unused("lora", lora, &LoraSpec::default(), "method `full` has no adapter");
    }
    require((1..=4096).contains(&lora.rank), "lora.rank", "must be from 1 to 4096")?;
    require(lora.alpha.is_finite() && lora.alpha > 0.0, "lora.alpha", "must be above 0")?;
    require((0.0..1.0).contains(&lora.dropout), "lora.dropout", "must be at least 0 and below 1")?;
    let quantised = spec.method == Method::Qlora || !lora.double_quantization;
    require(quantised, "lora.double_quantization", "only method `qlora` quantises")
}

fn check_objective(spec: &TrainerSpec) -> Result<()> {
    let pretrain = spec.task_type == TrainingKind::Pretrain;
    require(
        pretrain || spec.initial_weights.is_none(),
        "initial_weights",
        "only `pretrain` starts from random weights that a file can replace",
    )?;
    require(!(pretrain && spec.loss_on == LossOn::Completion), "loss_on", "plain text has no completion")?;
    if spec.task_type != TrainingKind::Dpo {
        return unused("dpo", &spec.dpo, &Dpo::default(), "belongs to task type `dpo` only");
    }
    require(!spec.packing, "packing", "preference pairs are not packed")?;
    let by_default = spec.loss_on == LossOn::default();
    require(by_default, "loss_on", "preference optimisation always compares whole completions")?;
    require(spec.dpo.beta.is_finite() && spec.dpo.beta > 0.0, "dpo.beta", "must be above 0")?;
    let smoothing = spec.dpo.label_smoothing;
    require((0.0..0.5).contains(&smoothing), "dpo.label_smoothing", "must be at least 0 and below 0.5")?;
    let smooth = smoothing == 0.0 || spec.dpo.loss == DpoLoss::Sigmoid;
    require(smooth, "dpo.label_smoothing", "only the `sigmoid` loss is smoothed")
}

fn check_validation(spec: &TrainerSpec) -> Result<()> {
    require(spec.eval_interval != Some(0), "eval_interval", "must be at least 1")?;
    let patience = spec.early_stopping_patience;
    require(patience != Some(0), "early_stopping_patience", "must be at least 1")?;
    for (field, set) in
        [("eval_interval", spec.eval_interval.is_some()), ("early_stopping_patience", patience.is_some())]
    {
        require(!set || spec.split[1] > 0, field, "needs a validation share in `split`")?;
    }
    Ok(())
}

fn check_machine(spec: &TrainerSpec) -> Result<()> {
    require(
        spec.flash_attention,
        "flash_attention",
        "the score matrix is never written: this cannot be switched off",
    )?;
    require(
        spec.parallel.tensor == 1,
        "parallel.tensor",
        "one process trains: the tensor-parallel size must be 1",
    )?;
    require(
        spec.parallel.pipeline == 1,
        "parallel.pipeline",
        "one process trains: the pipeline size must be 1",
    )
}
