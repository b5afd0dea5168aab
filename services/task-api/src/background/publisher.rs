//! The outbox's way to the broker.

use anneal_bus::{Bus, BusError};
use anneal_contracts::stream;
use anneal_store::outbox::{Mark, OutboxMessage, Publish, PublishError};

/// Publishes outbox messages over the bus.
#[derive(Clone, Debug)]
pub(super) struct Publisher(pub(super) Bus);

impl Publish for Publisher {
    async fn publish(&self, message: &OutboxMessage) -> Result<(), PublishError> {
        let envelope = message.envelope().map_err(|error| PublishError::Never(error.to_string()))?;
        let payload = message.payload.clone().into();
        match self.0.publish_bytes(&message.subject, &envelope, payload).await {
            Ok(()) => Ok(()),
            Err(error @ (BusError::TooLarge | BusError::Encode(_))) => {
                Err(PublishError::Never(error.to_string()))
            }
            Err(error) => Err(PublishError::Later(error.to_string())),
        }
    }

    /// Dispatches that were lost are made good by the sweeper: it knows which tasks still wait.
    async fn mark(&self, lane: &str) -> Result<Option<Mark>, PublishError> {
        let stream = match lane {
            "event" => &stream::EVENTS,
            "usage" => &stream::USAGE,
            _ => return Ok(None),
        };
        match self.0.stream_mark(stream).await {
            Ok((made, last)) => Ok(Some(Mark { made, last })),
            Err(error) => Err(PublishError::Later(error.to_string())),
        }
    }
}
