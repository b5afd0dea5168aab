//! What a consumer hands to its handler, and what the handler says back.

use std::time::Duration;

use anneal_contracts::{Envelope, command::DispatchTask};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::BusError;

/// A stored message.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its context attributes.
    pub envelope: Envelope,
    /// Its subject.
    pub subject: String,
    /// Its body.
    pub payload: Bytes,
    /// Its place in the stream.
    pub sequence: u64,
    /// How often it was delivered, this time included.
    pub delivered: u64,
}

impl Delivery {
    /// Its body as JSON of the agreed type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.payload)
    }
}

/// What a handler made of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed (or was before): acknowledge it.
    Done,
    /// Not now: deliver it again after this long.
    Retry(Duration),
    /// It can never be processed, for this reason: keep it as a dead letter.
    Reject(String),
}

/// An invitation to claim a task, not acknowledged yet.
#[derive(Debug)]
pub struct Dispatch {
    /// The invitation.
    pub command: DispatchTask,
    /// Its context attributes.
    pub envelope: Envelope,
    pub(crate) message: Message,
}

impl Dispatch {
    /// The claim was answered, either way: the message is done with.
    pub async fn acknowledge(self) -> Result<(), BusError> {
        self.message.ack().await.map_err(BusError::broker)
    }

    /// Nobody could answer the claim: offer it again after this long.
    pub async fn release(self, delay: Duration) -> Result<(), BusError> {
        self.message.ack_with(AckKind::Nak(Some(delay))).await.map_err(BusError::broker)
    }
}
