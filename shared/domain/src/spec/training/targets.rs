//! Which linears of a layer an adapter sits on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
