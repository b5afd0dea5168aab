//! Messages that can never be processed are kept, then terminated; in this order.

use std::time::Duration;

use anneal_contracts::{header, subject};
use async_nats::jetstream::{AckKind, Message};

use crate::{Bus, BusError};

/// When the dead letter could not be stored, the message itself comes back after this long.
const AGAIN: Duration = Duration::from_secs(5);

/// Why the message was given up.
const REASON: &str = "anneal-reason";
/// Where it was published.
const SUBJECT: &str = "anneal-subject";

impl Bus {
    pub(crate) async fn bury(&self, durable: &str, message: &Message, reason: &str) -> Result<(), BusError> {
        tracing::error!(durable, subject = %message.subject, reason, "dead letter");
        let mut headers = message.headers.clone().unwrap_or_default();
        let sequence = message.info().map_or(0, |info| info.stream_sequence);
        let id = headers.get(header::ID).map_or_else(|| sequence.to_string(), ToString::to_string);
        // Two consumers may each give up the same message: both letters are kept.
        headers.insert(header::MSG_ID, format!("{durable}:{id}").as_str());
        headers.insert(REASON, printable(reason).as_str());
        headers.insert(SUBJECT, message.subject.as_str());
        match self.store(&subject::dead_letter(durable), headers, message.payload.clone()).await {
            Ok(()) => message.ack_with(AckKind::Term).await.map_err(BusError::broker),
            Err(error) => {
                tracing::error!(%error, "a dead letter could not be stored; its message stays");
                message.ack_with(AckKind::Nak(Some(AGAIN))).await.map_err(BusError::broker)
            }
        }
    }
}

/// A header holds one line of ASCII.
fn printable(text: &str) -> String {
    text.chars().take(500).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
