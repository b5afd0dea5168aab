//! What a field can be set to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// Shares of training, validation and test rows in per cent, such as `[98, 2, 0]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Split(pub [u32; 3]);

impl Default for Split {
    fn default() -> Self {
        Self([98, 2, 0])
    }
}
