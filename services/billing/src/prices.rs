//! What an hour costs, by kind and pool.

use anneal_contracts::rpc::Price;
use anneal_domain::{
    Microcredits,
    spec::{Pool, TaskKind},
};
use serde::Deserialize;

/// Rates per hour of running time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Training.
    pub training: Rates,
    /// Evaluation.
    pub evaluation: Rates,
    /// Compilation.
    pub compilation: Rates,
}

/// Rates per hour in each pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// One node.
    pub fast: Microcredits,
    /// Several nodes.
    pub turbo: Microcredits,
}

impl Default for Prices {
    fn default() -> Self {
        let rates = |fast, turbo| Rates { fast: Microcredits(fast), turbo: Microcredits(turbo) };
        Self {
            training: rates(6_000_000, 40_000_000),
            evaluation: rates(3_000_000, 20_000_000),
            compilation: rates(4_000_000, 30_000_000),
        }
    }
}

impl Prices {
    /// The rate per hour; never negative.
    pub fn rate(&self, kind: TaskKind, pool: Pool) -> Microcredits {
        let rates = match kind {
            TaskKind::Training => self.training,
            TaskKind::Evaluation => self.evaluation,
            TaskKind::Compilation => self.compilation,
        };
        let rate = match pool {
            Pool::Fast => rates.fast,
            Pool::Turbo => rates.turbo,
        };
        rate.max(Microcredits::ZERO)
    }

    /// Every price, in a fixed order.
    pub fn list(&self) -> Vec<Price> {
        let pairs = TaskKind::ALL.into_iter().flat_map(|kind| Pool::ALL.map(|pool| (kind, pool)));
        pairs.map(|(kind, pool)| Price { kind, pool, rate_per_hour: self.rate(kind, pool) }).collect()
    }
}
