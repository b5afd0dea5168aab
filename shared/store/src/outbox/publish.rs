//! What the relay needs of a broker.

use std::future::Future;

use super::OutboxMessage;

/// Something that stores messages durably; a service implements it with its bus.
pub trait Publish: Send + Sync {
    /// Publishes and waits until the broker has stored the message. Publishing the same message again must be harmless.
    fn publish(&self, message: &OutboxMessage) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// How what stores a lane's messages is known now; `None` for a lane whose losses are made good elsewhere.
    fn mark(&self, lane: &str) -> impl Future<Output = Result<Option<Mark>, PublishError>> + Send;
}

impl<P: Publish> Publish for std::sync::Arc<P> {
    fn publish(&self, message: &OutboxMessage) -> impl Future<Output = Result<(), PublishError>> + Send {
        P::publish(self, message)
    }

    fn mark(&self, lane: &str) -> impl Future<Output = Result<Option<Mark>, PublishError>> + Send {
        P::mark(self, lane)
    }
}

/// How a broker's storage of messages is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When it was made: another one holds nothing of what was stored in this one.
    pub made: String,
    /// The place of the last message it was given; it only ever grows.
    pub last: u64,
}

impl Mark {
    /// Whether messages that were stored at `before` are gone: the storage was made anew, or put back to an older copy.
    pub fn has_lost(&self, before: &Self) -> bool {
        self.made != before.made || self.last < before.last
    }
}

/// Why a message was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker is away, full or slow: the message stays and its lane waits.
    #[error("cannot publish now: {0}")]
    Later(String),
    /// No broker will ever take this message (it is too large, or no stream has its subject): it is set aside for people.
    #[error("cannot ever be published: {0}")]
    Never(String),
}
