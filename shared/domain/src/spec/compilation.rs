//! A compilation task: quantise, then compile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ModelReference, ModelSource, Pool};
use crate::{
    field_error::FieldErrors,
    id::{DatasetId, ModelId, TaskId},
};

/// Quantise a model and export it for a runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompilationSpec {
    /// Where the model comes from; with a task's model it may be left out.
    #[schema(required = false)]
    pub model_source: ModelSource,
    /// The model; in a request also `{"task": …}`: the model that a task made or scored.
    #[schema(value_type = ModelReference)]
    pub model: ModelId,
    /// The task that the model was taken from; written for `"model": {"task": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_task: Option<TaskId>,
    /// Weight precision of the artifact.
    pub quantization: Quantization,
    /// The device class that will run it.
    #[serde(default)]
    pub target: Target,
    /// Tensor-parallel size; shown, not settable: 1.
    #[serde(default = "one")]
    pub tensor_parallel: usize,
    /// Calibration text; required for `int8`, refused otherwise.
    #[serde(default)]
    pub calibration: Option<CalibrationSource>,
    /// Text whose perplexity is compared before publication.
    #[serde(default)]
    pub validation_dataset: Option<DatasetId>,
    /// Largest accepted perplexity of the artifact over that of its source.
    #[serde(default = "default_ratio")]
    pub max_perplexity_ratio: f64,
    /// The resource pool.
    #[serde(default)]
    pub pool: Pool,
}

/// Weight precision of a compiled model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// 8-bit integer weights, chosen with calibration text.
    Int8,
    /// Half-precision weights.
    Fp16,
}

/// The device class a compiled model runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// ONNX Runtime on a CPU.
    #[default]
    OnnxruntimeCpu,
    /// ONNX Runtime on a CUDA device.
    OnnxruntimeCuda,
}

/// Where calibration text comes from: a registered set by name, or a user's own dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CalibrationSource {
    /// The C4 sample registered as a built-in dataset named `c4`.
    C4,
    /// The C-Eval sample registered as a built-in dataset named `ceval`.
    Ceval,
    /// A text dataset of the workspace.
    Dataset(DatasetId),
}

impl CompilationSpec {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        match (self.quantization, &self.calibration) {
            (Quantization::Int8, None) => {
                errors.push(
                    "spec.calibration",
                    "`int8` needs calibration text: `c4`, `ceval`, or {\"dataset\": id}",
                );
            }
            (Quantization::Fp16, Some(_)) => {
                errors.push("spec.calibration", "`fp16` takes no calibration text: leave it out");
            }
            _ => {}
        }
        errors.require(self.tensor_parallel == 1, "spec.tensor_parallel", "is always 1");
        errors.require(
            self.max_perplexity_ratio.is_finite() && self.max_perplexity_ratio >= 1.0,
            "spec.max_perplexity_ratio",
            "must be a number of at least 1",
        );
        errors.require(self.pool == Pool::Fast, "spec.pool", "compilation runs on one node: choose `fast`");
    }
}

const fn one() -> usize {
    1
}
const fn default_ratio() -> f64 {
    1.05
}
