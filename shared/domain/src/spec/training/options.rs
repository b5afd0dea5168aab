//! The options that belong to one method or one task type, and their rules.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DpoLoss, FAST_NODES, LINEAR_NAMES, Method, Schedule, TargetModules, Zero};
use crate::field_error::FieldErrors;

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

impl FullOptions {
    /// `rate` is the peak learning rate, given or by default.
    pub(super) fn check(&self, rate: f64, schedule: Schedule, errors: &mut FieldErrors) {
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

impl AdapterOptions {
    pub(super) fn check(&self, method: Method, errors: &mut FieldErrors) {
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

impl DpoOptions {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
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
