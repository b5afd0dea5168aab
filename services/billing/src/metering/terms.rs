//! How a task is charged.

use anneal_domain::{Microcredits, id::HoldId, spec::TaskKind};

/// How a task is charged; fixed at launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Nothing: an evaluation of at most two datasets.
    Free,
    /// Its estimate, once it has succeeded: an evaluation of more datasets.
    Estimate(Microcredits),
    /// Its running time.
    Metered,
}

impl Terms {
    /// What the fact of the launch says: a task without a hold is free, an evaluation with one is charged what it holds.
    pub fn of_launch(kind: TaskKind, hold: Option<HoldId>, held: Microcredits) -> Self {
        match (hold, kind) {
            (None, _) => Self::Free,
            (Some(_), TaskKind::Evaluation) => Self::Estimate(held),
            (Some(_), TaskKind::Training | TaskKind::Compilation) => Self::Metered,
        }
    }
}
