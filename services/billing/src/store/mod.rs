//! The tables of billing: the ledger with its balances, the bills with their leases, and the journal of facts.
//!
//! Everything here takes an open transaction; nothing here decides an amount.

mod accounts;
mod bills;
mod facts;
mod lock;
mod migrations;
mod postings;

pub use accounts::{balance, ledger_sum, open_workspace};
pub use bills::{load, load_for_task, overdue_holds, save, terms_by_task, wanting_pause, wanting_pause_in};
pub use facts::{of_workspace as facts_of, record};
pub use lock::lock;
pub use migrations::migrations;
pub use postings::{charged_by_task, of_task, of_workspace, post, posted};
