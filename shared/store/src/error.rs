//! What can go wrong between a service and its database.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

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
    /// Whether the same operation may succeed later without anything being changed: a full disk, a lock, a database that is
    /// away. What breaks a rule of the schema or does not read back is no such thing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => match error {
                DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
                DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
                    will_pass(error)
                }
                _ => false,
            },
            Self::Interrupted => true,
            Self::Url(_) | Self::Escaped | Self::Row(_) => false,
        }
    }
}

fn will_pass(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(error) => error.code().is_none_or(|code| !is_permanent(&code)),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        | SqlxError::BeginFailed => true,
        _ => false,
    }
}

/// Whether a statement with this code fails again however often it is tried, because of its values. PostgreSQL's codes have
/// five characters, of which two are the class (PostgreSQL documentation, appendix A); `SQLite`'s are numbers, with the kind
/// in the lowest byte (sqlite.org/rescode.html). A schema that does not fit is none of this: every message would be refused.
fn is_permanent(code: &str) -> bool {
    if code.len() == 5 {
        // Data, integrity, raised by a trigger.
        return ["22", "23", "P0"].iter().any(|class| code.starts_with(class));
    }
    // TOOBIG, CONSTRAINT, MISMATCH.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_permanent_and_what_fails_around_it_will_pass() {
        for code in ["1555", "2067", "787", "1299", "1811", "20", "23505", "22003", "22021", "P0001"] {
            assert!(is_permanent(code), "{code}");
        }
        // Busy, locked, full, I/O errors, read-only; disk full, deadlock, serialization, shutdown, connection.
        for code in
            ["5", "261", "6", "13", "10", "778", "1034", "8", "53100", "40P01", "40001", "57P01", "08006"]
        {
            assert!(!is_permanent(code), "{code}");
        }
    }
}
