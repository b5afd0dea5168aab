//! Answers to requests, one file a request.

mod audit;
mod balance;
mod bill;
mod ledger;
mod place_hold;
mod prices;
mod quote;
mod release_hold;
mod top_up;

pub(crate) use audit::audit;
pub(crate) use balance::balance;
pub(crate) use bill::bill;
pub(crate) use ledger::ledger;
pub(crate) use place_hold::place_hold;
pub(crate) use prices::prices;
pub(crate) use quote::quote;
pub(crate) use release_hold::release_hold;
pub(crate) use top_up::top_up;
