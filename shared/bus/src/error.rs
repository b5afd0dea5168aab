//! What can go wrong between us and the broker.

use anneal_contracts::rpc::Refusal;

/// A message could not be published or consumed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address does not parse.
    #[error("the broker address `{0}` cannot be used")]
    Address(String),
    /// The broker knows no such user, or the password is wrong.
    #[error("the broker refused the credentials of user `{0}`")]
    Credentials(String),
    /// No acknowledgement came in time; the message may have been stored all the same.
    #[error("the broker did not acknowledge in time")]
    TimedOut,
    /// The stream is full and refuses new messages.
    #[error("stream is full: {0}")]
    Full(String),
    /// The message is larger than the broker takes.
    #[error("the message is larger than the broker takes")]
    TooLarge,
    /// The payload cannot be written as JSON.
    #[error("the message cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// Anything else the client reports.
    #[error("the broker failed: {0}")]
    Broker(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BusError {
    pub(crate) fn broker(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broker(error.into())
    }

    /// Whether sending the same message later may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Full(_) | Self::Broker(_))
    }
}

/// A request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody answers this subject now, or we are not connected.
    #[error("nobody answers `{0}` now")]
    Unavailable(String),
    /// No reply in time. The request may have been carried out.
    #[error("no reply from `{0}` in time")]
    TimedOut(String),
    /// The answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request or the reply is not of the agreed shape.
    #[error("`{subject}` does not keep to the contract: {reason}")]
    Malformed {
        /// Which request.
        subject: String,
        /// What is wrong.
        reason: String,
    },
}

impl RequestError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TimedOut(_) => true,
            Self::Refused(refusal) => refusal.retryable,
            Self::Malformed { .. } => false,
        }
    }
}
