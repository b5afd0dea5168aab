//! Reading a whole stream again, apart from every durable consumer.

use std::time::Duration;

use anneal_contracts::stream;
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use futures::StreamExt;

use crate::{Bus, BusError, Delivery, consumer::read};

/// A message that does not come within this time will not come.
const NEXT_WAIT: Duration = Duration::from_secs(10);

impl Bus {
    /// Hands every message that the stream holds now to `each`, in order, from the first; how many there were. Nothing is
    /// acknowledged and no durable moves. Messages without a readable envelope are left out.
    pub async fn replay(
        &self,
        stream: &stream::Stream,
        mut each: impl FnMut(Delivery) + Send,
    ) -> Result<u64, BusError> {
        self.ensure_stream(stream).await?;
        let handle = self.jetstream.get_stream(stream.name).await.map_err(BusError::broker)?;
        if handle.cached_info().state.messages == 0 {
            return Ok(0);
        }
        let last = handle.cached_info().state.last_sequence;
        let settings = OrderedConfig { deliver_policy: DeliverPolicy::All, ..OrderedConfig::default() };
        let consumer = handle.create_consumer(settings).await.map_err(BusError::broker)?;
        let mut messages = consumer.messages().await.map_err(BusError::broker)?;
        let mut count = 0;
        loop {
            let next = tokio::time::timeout(NEXT_WAIT, messages.next()).await;
            let message = match next.map_err(|_| BusError::TimedOut)? {
                Some(message) => message.map_err(BusError::broker)?,
                None => return Ok(count),
            };
            count += 1;
            let info = message.info().map_err(BusError::broker)?;
            let is_last = info.pending == 0 || info.stream_sequence >= last;
            match read(&message) {
                Ok(delivery) => each(delivery),
                Err(reason) => tracing::warn!(reason, stream = stream.name, "a stored message was left out"),
            }
            if is_last {
                return Ok(count);
            }
        }
    }
}
