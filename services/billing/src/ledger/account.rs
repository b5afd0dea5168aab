//! Accounts, and their names in the database and the API.

use std::fmt;

use anneal_domain::id::WorkspaceId;

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What a workspace may still spend. Below zero when a running task outran it.
    Available(WorkspaceId),
    /// What its holds reserve.
    Held(WorkspaceId),
    /// What was captured from it.
    Spent(WorkspaceId),
    /// Where every credit comes from: the negative of all that was ever given or bought.
    Grants,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Available(workspace) => write!(f, "{workspace}/available"),
            Self::Held(workspace) => write!(f, "{workspace}/held"),
            Self::Spent(workspace) => write!(f, "{workspace}/spent"),
            Self::Grants => f.write_str("platform/grants"),
        }
    }
}
