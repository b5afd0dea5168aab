//! Durable pull consumers that survive a deleted consumer, a restarted broker and a wiped one.

use std::{future::Future, time::Duration};

use anneal_contracts::stream;
use anneal_runtime::CancellationToken;
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{
        PullConsumer,
        pull::{Batch, BatchError},
    },
};
use futures::StreamExt;
use tokio::sync::watch;

use crate::{Bus, BusError, Delivery, Dispatch, Outcome, headers};

/// How long one pull waits at the broker.
const PULL_WAIT: Duration = Duration::from_secs(20);
/// How long the answer to a pull that does not wait may take.
const FETCH_WAIT: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A reader of one durable consumer.
#[derive(Debug)]
pub struct Consumer {
    bus: Bus,
    settings: stream::Consumer,
    /// Made at the broker; `None` before the first pull and after a failure.
    made: Option<PullConsumer>,
    connections: watch::Receiver<u64>,
}

impl Bus {
    /// A reader of this durable. Nothing is asked of the broker before the first pull.
    pub fn consumer(&self, settings: stream::Consumer) -> Consumer {
        Consumer { bus: self.clone(), settings, made: None, connections: self.connections.clone() }
    }

    /// Hands every message of the durable to `handler`, one after the other, in order, until `stop`; up to `batch` are
    /// pulled at once. A message under way is finished first.
    pub async fn consume<F, Fut>(
        &self,
        settings: stream::Consumer,
        batch: usize,
        stop: CancellationToken,
        mut handler: F,
    ) where
        F: FnMut(Delivery) -> Fut + Send,
        Fut: Future<Output = Outcome> + Send,
    {
        let mut consumer = self.consumer(settings);
        while let Some(messages) = consumer.next_batch(batch, &stop).await {
            for message in messages {
                match read(&message) {
                    Ok(delivery) => {
                        let outcome = handler(delivery).await;
                        consumer.settle(&message, outcome).await;
                    }
                    Err(reason) => consumer.settle(&message, Outcome::Reject(reason)).await,
                }
            }
        }
    }

    /// As [`Bus::consume`], but `handler` is given whole batches (of whatever is there, up to `batch`) so that it can write
    /// them in one transaction; it returns one outcome a message, in order.
    pub async fn consume_batches<F, Fut>(
        &self,
        settings: stream::Consumer,
        batch: usize,
        stop: CancellationToken,
        mut handler: F,
    ) where
        F: FnMut(Vec<Delivery>) -> Fut + Send,
        Fut: Future<Output = Vec<Outcome>> + Send,
    {
        let mut consumer = self.consumer(settings);
        while let Some(messages) = consumer.next_batch(batch, &stop).await {
            let mut kept = Vec::with_capacity(messages.len());
            let mut deliveries = Vec::with_capacity(messages.len());
            for message in messages {
                match read(&message) {
                    Ok(delivery) => {
                        kept.push(message);
                        deliveries.push(delivery);
                    }
                    Err(reason) => consumer.settle(&message, Outcome::Reject(reason)).await,
                }
            }
            if kept.is_empty() {
                continue;
            }
            let mut outcomes = handler(deliveries).await.into_iter();
            for message in &kept {
                // A handler that forgot an outcome did not commit the message as far as we know.
                let outcome = outcomes.next().unwrap_or(Outcome::Retry(Duration::from_secs(1)));
                consumer.settle(message, outcome).await;
            }
        }
    }
}

impl Consumer {
    /// The next invitation to claim a task, or `None` once stopped. Exactly one message is asked for: nothing is hoarded.
    pub async fn next_dispatch(&mut self, stop: &CancellationToken) -> Option<Dispatch> {
        loop {
            let message = self.next_batch(1, stop).await?.pop()?;
            let parsed = read(&message).and_then(|delivery| {
                let command = delivery.parse().map_err(|error| error.to_string())?;
                Ok((command, delivery.envelope))
            });
            match parsed {
                Ok((command, envelope)) => return Some(Dispatch { command, envelope, message }),
                Err(reason) => self.settle(&message, Outcome::Reject(reason)).await,
            }
        }
    }

    /// At least one and up to `most` messages, or `None` once stopped.
    async fn next_batch(&mut self, most: usize, stop: &CancellationToken) -> Option<Vec<Message>> {
        let mut pause = Duration::from_millis(50);
        loop {
            let pulled = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                pulled = self.pull(most) => pulled,
            };
            match pulled {
                Ok(messages) if messages.is_empty() => pause = Duration::from_millis(50),
                Ok(messages) => return Some(messages),
                Err(error) => {
                    let durable = &self.settings.durable;
                    tracing::warn!(%error, durable, "cannot read; making the consumer again");
                    self.made = None;
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One round: what is there now, else the first message to come within [`PULL_WAIT`]; empty when none came or the
    /// connection was renewed. Never asks for more than it waits to receive: a message sent to a reader that has gone
    /// would only come back after `ack_wait`.
    async fn pull(&mut self, most: usize) -> Result<Vec<Message>, BusError> {
        self.connections.mark_unchanged();
        let made = match &self.made {
            Some(made) => made,
            None => self.made.insert(self.bus.ensure_consumer(&self.settings).await?),
        };
        let read = async {
            if most > 1 {
                let there = drain(made.fetch().max_messages(most).messages().await, FETCH_WAIT).await?;
                if !there.is_empty() {
                    return Ok(there);
                }
            }
            let wait = made.batch().max_messages(1).expires(PULL_WAIT).messages().await;
            drain(wait, PULL_WAIT + FETCH_WAIT).await
        };
        tokio::select! {
            messages = read => messages,
            // A pull asked over the old connection is never answered.
            changed = self.connections.changed() => {
                drop(changed);
                Ok(Vec::new())
            }
        }
    }

    async fn settle(&self, message: &Message, outcome: Outcome) {
        let settled = match outcome {
            Outcome::Done => message.ack().await.map_err(BusError::broker),
            Outcome::Retry(delay) => {
                message.ack_with(AckKind::Nak(Some(delay))).await.map_err(BusError::broker)
            }
            Outcome::Reject(reason) => self.bus.bury(&self.settings.durable, message, &reason).await,
        };
        if let Err(error) = settled {
            // It comes back after ack_wait; the inbox knows whether its effect took hold.
            tracing::warn!(%error, durable = self.settings.durable, "a message could not be settled");
        }
    }
}

/// Everything a pull brings. An error after the first message will be met again by the next pull.
async fn drain(batch: Result<Batch, BatchError>, wait: Duration) -> Result<Vec<Message>, BusError> {
    let mut batch = batch.map_err(BusError::broker)?;
    let mut messages = Vec::new();
    while let Ok(Some(next)) = tokio::time::timeout(wait, batch.next()).await {
        match next {
            Ok(message) => messages.push(message),
            Err(error) if messages.is_empty() => return Err(BusError::broker(error)),
            Err(_) => break,
        }
    }
    Ok(messages)
}

pub(crate) fn read(message: &Message) -> Result<Delivery, String> {
    let envelope = headers::read(message.headers.as_ref()).map_err(|error| error.to_string())?;
    let (sequence, delivered) = message
        .info()
        .map(|info| (info.stream_sequence, info.delivered.max(1) as u64))
        .map_err(|error| error.to_string())?;
    Ok(Delivery {
        envelope,
        subject: message.subject.to_string(),
        payload: message.payload.clone(),
        sequence,
        delivered,
    })
}
