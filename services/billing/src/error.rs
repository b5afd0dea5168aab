//! What can go wrong in billing, and what a caller is told of it.

use anneal_contracts::rpc::Refusal;
use sea_orm::DbErr;

/// A billing operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] anneal_store::Error),
    /// An amount left the range of whole micro-credits.
    #[error("an amount left the range of 64-bit micro-credits")]
    Overflow,
    /// A message is not of the agreed shape.
    #[error("unusable message: {0}")]
    Message(String),
    /// The answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The broker failed.
    #[error(transparent)]
    Bus(#[from] anneal_bus::BusError),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// A refusal with a stable code, that the same request will meet again.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Refused(Refusal { code: code.to_owned(), message: message.into(), retryable: false })
    }

    /// Whether it will pass by itself: a full disk, a locked or absent database, a broker that is away. Money is never
    /// dropped for that.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Bus(_) => true,
            Self::Overflow | Self::Message(_) | Self::Refused(_) => false,
        }
    }

    /// What a caller is told: internals never leak.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Overflow => Refusal {
                code: "out_of_range".to_owned(),
                message: "the amount is out of range".to_owned(),
                retryable: false,
            },
            Self::Message(reason) => {
                Refusal { code: "malformed".to_owned(), message: reason, retryable: false }
            }
            error @ (Self::Store(_) | Self::Bus(_)) => {
                tracing::error!(%error, "a billing request failed");
                let retryable = error.is_transient();
                let (code, message) = if retryable {
                    ("unavailable", "billing cannot answer now; try again")
                } else {
                    ("internal", "billing cannot answer this")
                };
                Refusal { code: code.to_owned(), message: message.to_owned(), retryable }
            }
        }
    }
}
