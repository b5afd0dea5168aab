//! One movement of credits, before it has a place in the ledger.

use anneal_domain::{
    Microcredits,
    id::{TaskId, WorkspaceId},
};

use super::Account;

/// What a posting is for; it decides which accounts it moves between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Given to a new workspace.
    Grant,
    /// Put in by a person.
    TopUp,
    /// Reserved at launch.
    Hold,
    /// Reserved while running.
    Extend,
    /// Charged for running time, or for an estimate.
    Capture,
    /// What a hold did not need.
    Release,
    /// Charged time that had to be done again.
    Credit,
}

impl Reason {
    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::TopUp => "top_up",
            Self::Hold => "hold",
            Self::Extend => "extend",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Credit => "credit",
        }
    }

    /// The account debited and the account credited.
    pub const fn accounts(self, workspace: WorkspaceId) -> (Account, Account) {
        match self {
            Self::Grant | Self::TopUp => (Account::Grants, Account::Available(workspace)),
            Self::Hold | Self::Extend => (Account::Available(workspace), Account::Held(workspace)),
            Self::Capture => (Account::Held(workspace), Account::Spent(workspace)),
            Self::Release => (Account::Held(workspace), Account::Available(workspace)),
            Self::Credit => (Account::Spent(workspace), Account::Held(workspace)),
        }
    }
}

/// A movement to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Operation key: posting the same key again changes nothing.
    pub operation: String,
    /// What it is for.
    pub reason: Reason,
    /// Whose accounts.
    pub workspace: WorkspaceId,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// How much, never negative.
    pub amount: Microcredits,
}
