//! Core notices: not stored, a hint that something changed.

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt;

use crate::{Bus, BusError};

/// Notices as they come; those sent while disconnected are lost, so look at the truth after each reconnect too.
#[derive(Debug)]
pub struct Notices {
    subscriber: Subscriber,
    connections: tokio::sync::watch::Receiver<u64>,
}

impl Bus {
    /// Says that something changed.
    pub async fn notify(&self, subject: &'static str) -> Result<(), BusError> {
        self.client.publish(subject, Bytes::new()).await.map_err(BusError::broker)
    }

    /// Listens for notices.
    pub async fn listen(&self, subject: &'static str) -> Result<Notices, BusError> {
        let subscriber = self.client.subscribe(subject).await.map_err(BusError::broker)?;
        let mut connections = self.connections.clone();
        connections.mark_unchanged();
        Ok(Notices { subscriber, connections })
    }
}

impl Notices {
    /// Waits for the next notice, or for a reconnect, after which one may have been missed. `None` once the bus is gone.
    pub async fn next(&mut self) -> Option<()> {
        tokio::select! {
            message = self.subscriber.next() => message.map(|_| ()),
            changed = self.connections.changed() => changed.ok(),
        }
    }
}
