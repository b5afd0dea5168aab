//! The settings of the billing service.

use anneal_bus::BusConfig;
use anneal_domain::Microcredits;
use anneal_runtime::telemetry::Logging;
use serde::Deserialize;

use crate::{Prices, metering::Limits};

/// The settings, read once; the variables begin with `ANNEAL_BILLING_`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The broker.
    pub nats: BusConfig,
    /// The database of billing alone.
    pub database: Database,
    /// What is logged and how.
    pub log: Logging,
    /// Micro-credits per hour, by kind and pool.
    pub prices: Prices,
    /// Given once to every workspace that billing sees for the first time.
    pub grant_microcredits: Microcredits,
    /// How much is held, and when more.
    pub limits: Limits,
    /// A hold that no accepted task stands behind is given back after this long.
    pub unclaimed_hold_ms: i64,
    /// How often tasks that must pause are asked to, and unclaimed holds are looked for.
    pub watch_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nats: BusConfig::default(),
            database: Database::default(),
            log: Logging::default(),
            prices: Prices::default(),
            grant_microcredits: Microcredits(100_000_000),
            limits: Limits::default(),
            unclaimed_hold_ms: 600_000,
            watch_ms: 2_000,
        }
    }
}

/// Where billing keeps its books.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:///path/billing.db?mode=rwc` or `postgres://…`.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://billing.db?mode=rwc".to_owned() }
    }
}
