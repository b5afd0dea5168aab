//! Where a task runs, and where its model comes from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A resource pool.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// One node (高速).
    #[default]
    Fast,
    /// Several nodes, distributed (极速).
    Turbo,
}

impl Pool {
    /// Every pool.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Turbo];

    /// The name used in subjects and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Turbo => "turbo",
        }
    }
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// Shipped with the platform, or imported.
    Builtin,
    /// Made by a training task.
    Trained,
}
