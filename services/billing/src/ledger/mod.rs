//! The double-entry ledger, pure: accounts, postings, and books that follow from postings alone.
//!
//! A posting moves an amount from one account (debited) to another (credited), so the sum over all accounts is zero after
//! every posting. The ledger is append-only, and every posting has an operation key that makes a repeat change nothing.

mod account;
mod book;
mod entry;

pub use account::Account;
pub use book::Book;
pub use entry::{Entry, Reason};
