//! How much is held, and when more is.

use serde::Deserialize;

/// Amounts as running time at the task's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The least that is held at launch.
    pub hold_floor_ms: i64,
    /// When less than this is left of a hold, it is extended; when it cannot be, the task is asked to pause.
    pub margin_ms: i64,
    /// By how much a hold is extended.
    pub extend_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hold_floor_ms: 600_000, margin_ms: 60_000, extend_ms: 600_000 }
    }
}
