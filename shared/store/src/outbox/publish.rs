//! What the relay needs of a broker.

use std::future::Future;

use super::OutboxMessage;

/// Something that stores messages durably; a service implements it with its bus.
pub trait Publish: Send + Sync {
    /// Publishes and waits until the broker has stored the message. Publishing the same message again must be harmless.
    fn publish(&self, message: &OutboxMessage) -> impl Future<Output = Result<(), PublishError>> + Send;
}

impl<P: Publish> Publish for std::sync::Arc<P> {
    fn publish(&self, message: &OutboxMessage) -> impl Future<Output = Result<(), PublishError>> + Send {
        P::publish(self, message)
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
