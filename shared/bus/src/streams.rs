//! Streams and durable consumers, made from their contracts. Idempotent: the broker may have been wiped.

use anneal_contracts::stream::{self, Consumer, Full, Retention};
use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    context::{GetStreamError, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use futures::TryStreamExt as _;

use crate::{Bus, BusError};

impl Bus {
    /// Makes every stream that is absent and brings the others to their contract's settings.
    pub async fn ensure_streams(&self) -> Result<(), BusError> {
        for stream in &stream::ALL {
            self.ensure_stream(stream).await?;
        }
        Ok(())
    }

    pub(crate) async fn ensure_stream(&self, stream: &stream::Stream) -> Result<(), BusError> {
        self.jetstream.create_or_update_stream(settings(stream)).await.map_err(BusError::broker)?;
        Ok(())
    }

    /// When a stream was made, and the place of the last message it was given; it is made when absent.
    pub async fn stream_mark(&self, stream: &stream::Stream) -> Result<(String, u64), BusError> {
        let info = match self.jetstream.get_stream(stream.name).await {
            Ok(found) => found.cached_info().clone(),
            Err(error) if is_absent(&error) => {
                self.jetstream.create_or_update_stream(settings(stream)).await.map_err(BusError::broker)?
            }
            Err(error) => return Err(BusError::broker(error)),
        };
        Ok((info.created.to_string(), info.state.last_sequence))
    }

    /// How many messages a stream holds under a subject (wildcards allowed); none where the stream is not there.
    pub async fn held(&self, stream: &stream::Stream, subject: &str) -> Result<u64, BusError> {
        let found = match self.jetstream.get_stream(stream.name).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(0),
            Err(error) => return Err(BusError::broker(error)),
        };
        let mut subjects = found.info_with_subjects(subject).await.map_err(BusError::broker)?;
        let mut held = 0;
        while let Some((_, count)) = subjects.try_next().await.map_err(BusError::broker)? {
            held += count as u64;
        }
        Ok(held)
    }

    /// The durable consumer, made when absent, and its stream with it.
    pub(crate) async fn ensure_consumer(&self, consumer: &Consumer) -> Result<PullConsumer, BusError> {
        let settings = pull::Config {
            durable_name: Some(consumer.durable.clone()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: consumer.ack_wait,
            max_deliver: -1,
            filter_subject: consumer.filter.clone(),
            ..pull::Config::default()
        };
        let name = consumer.stream.name;
        match self.jetstream.create_consumer_on_stream(settings.clone(), name).await {
            Ok(made) => Ok(made),
            Err(first) => {
                tracing::debug!(%first, stream = name, "the stream may be absent");
                self.ensure_stream(&consumer.stream).await?;
                self.jetstream.create_consumer_on_stream(settings, name).await.map_err(BusError::broker)
            }
        }
    }
}

fn is_absent(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn settings(stream: &stream::Stream) -> Config {
    Config {
        name: stream.name.to_owned(),
        subjects: stream.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        retention: match stream.retention {
            Retention::WorkQueue => RetentionPolicy::WorkQueue,
            Retention::Limits => RetentionPolicy::Limits,
        },
        discard: match stream.full {
            Full::RefuseNew => DiscardPolicy::New,
            Full::DropOldest => DiscardPolicy::Old,
        },
        max_age: stream.max_age.unwrap_or_default(),
        max_bytes: stream.max_bytes.unwrap_or(-1),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        storage: StorageType::File,
        num_replicas: 1,
        allow_direct: true,
        ..Config::default()
    }
}
