//! Durable publication.

use anneal_contracts::{Envelope, stream};
use async_nats::{
    HeaderMap,
    jetstream::{self, ErrorCode, context::PublishErrorKind},
};
use bytes::Bytes;
use serde::Serialize;

use crate::{Bus, BusError, headers};

impl Bus {
    /// Stores a message and waits for the broker's acknowledgement. On an error it may have been stored all the same:
    /// publish it again under the same envelope id.
    pub async fn publish<T: Serialize + ?Sized>(
        &self,
        subject: &str,
        envelope: &Envelope,
        payload: &T,
    ) -> Result<(), BusError> {
        self.publish_bytes(subject, envelope, serde_json::to_vec(payload)?.into()).await
    }

    /// As [`Bus::publish`], with a payload that is JSON already.
    pub async fn publish_bytes(
        &self,
        subject: &str,
        envelope: &Envelope,
        payload: Bytes,
    ) -> Result<(), BusError> {
        self.store(subject, headers::write(envelope), payload).await
    }

    /// Publishes and awaits the acknowledgement; when the stream is gone, makes it again first.
    pub(crate) async fn store(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), BusError> {
        match self.store_once(subject, headers.clone(), payload.clone()).await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {}
            other => return other.map_err(classify),
        }
        tracing::warn!(subject, "no stream stores this subject: making it again");
        let Some(owner) = stream::ALL.iter().find(|stream| stores(stream, subject)) else {
            return Err(BusError::broker(format!("no stream is meant to store `{subject}`")));
        };
        self.ensure_stream(owner).await?;
        self.store_once(subject, headers, payload).await.map_err(classify)
    }

    async fn store_once(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), jetstream::context::PublishError> {
        let acknowledgement =
            self.jetstream.publish_with_headers(subject.to_owned(), headers, payload).await?;
        // The first await only sends; the second is the broker's word that it is stored.
        acknowledgement.await?;
        Ok(())
    }
}

fn stores(stream: &stream::Stream, subject: &str) -> bool {
    stream.subjects.iter().any(|pattern| {
        pattern.strip_suffix('>').map_or(*pattern == subject, |prefix| subject.starts_with(prefix))
    })
}

fn classify(error: jetstream::context::PublishError) -> BusError {
    let code = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .map(jetstream::Error::error_code);
    match (error.kind(), code) {
        (PublishErrorKind::TimedOut, _) => BusError::TimedOut,
        (PublishErrorKind::MaxPayloadExceeded, _) => BusError::TooLarge,
        (_, Some(ErrorCode::STREAM_STORE_FAILED)) => BusError::Full(error.to_string()),
        _ => BusError::broker(error),
    }
}
