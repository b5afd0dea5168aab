//! Prices, quotes, holds, metering and the ledger; its own database.
//!
//! Billing reads the same facts as everyone and keeps books of its own. It asks nothing of a task's inner state: what a
//! task costs is a function of the facts about it ([`metering`]), and what a workspace has is the sum of its postings
//! ([`ledger`]).

pub mod config;
mod consume;
mod error;
mod handlers;
pub mod ledger;
pub mod metering;
mod prices;
mod quote;
mod replay;
mod service;
pub mod store;
mod watch;

pub use config::Config;
pub use error::Error;
pub use prices::Prices;
pub use service::{Billing, serve};
