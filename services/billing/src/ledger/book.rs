//! Balances that follow from postings.

use std::collections::{BTreeMap, BTreeSet};

use anneal_domain::Microcredits;

use super::{Account, Entry};
use crate::Error;

/// The balance of every account, as the entries posted so far make it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    balances: BTreeMap<Account, Microcredits>,
    operations: BTreeSet<String>,
}

impl Book {
    /// Posts an entry; whether it was new.
    pub fn post(&mut self, entry: &Entry) -> Result<bool, Error> {
        if entry.amount < Microcredits::ZERO {
            return Err(Error::Overflow);
        }
        if !self.operations.insert(entry.operation.clone()) {
            return Ok(false);
        }
        let (debit, credit) = entry.reason.accounts(entry.workspace);
        let debited = self.balance(debit).checked_sub(entry.amount).ok_or(Error::Overflow)?;
        self.balances.insert(debit, debited);
        let credited = self.balance(credit).checked_add(entry.amount).ok_or(Error::Overflow)?;
        self.balances.insert(credit, credited);
        Ok(true)
    }

    /// Books made of these entries, in order.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, Error> {
        let mut book = Self::default();
        for entry in entries {
            book.post(entry)?;
        }
        Ok(book)
    }

    /// The balance of an account.
    pub fn balance(&self, account: Account) -> Microcredits {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// Sum over all accounts: always zero.
    pub fn sum(&self) -> i128 {
        self.balances.values().map(|balance| i128::from(balance.0)).sum()
    }
}
