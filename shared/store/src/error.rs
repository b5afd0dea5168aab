//! What can go wrong between a service and its database.

use sea_orm::DbErr;

/// A database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no, or could not be reached.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The connection string names no database that this program can use.
    #[error("unusable database url: {0}")]
    Url(String),
    /// The work panicked, or the program is shutting down; the transaction was rolled back.
    #[error("the transaction did not end: its work panicked or was aborted")]
    Interrupted,
    /// The work kept a handle of its transaction beyond its end; the transaction was rolled back.
    #[error("the transaction was still in use after its work ended")]
    Escaped,
    /// A stored row does not read back.
    #[error("stored row is unusable: {0}")]
    Row(String),
}

impl Error {
    /// Whether the same operation may succeed later without anything being changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => match error {
                DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
                DbErr::Exec(_) | DbErr::Query(_) => {
                    let text = error.to_string();
                    ["database is locked", "database is busy", "terminating connection", "Connection refused"]
                        .iter()
                        .chain(&[
                            "connection closed",
                            "Broken pipe",
                            "reset by peer",
                            "unexpected end of file",
                        ])
                        .any(|sign| text.contains(sign))
                        || text.contains("could not serialize")
                        || text.contains("deadlock detected")
                }
                _ => false,
            },
            Self::Interrupted => true,
            Self::Url(_) | Self::Escaped | Self::Row(_) => false,
        }
    }
}
