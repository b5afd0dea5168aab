//! A message on its way out.

use anneal_contracts::{Envelope, EnvelopeError};
use serde::Serialize;

use crate::Error;

/// What will be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Where to.
    pub subject: String,
    /// The envelope's headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Vec<u8>,
}

impl OutboxMessage {
    /// A message with this envelope and a JSON body.
    pub fn new(
        subject: impl Into<String>,
        envelope: &Envelope,
        body: &impl Serialize,
    ) -> Result<Self, Error> {
        let payload = serde_json::to_vec(body).map_err(|error| Error::Row(error.to_string()))?;
        let headers = envelope.to_headers().into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(Self { subject: subject.into(), headers: headers.collect(), payload })
    }

    /// The envelope, read back from the headers.
    pub fn envelope(&self) -> Result<Envelope, EnvelopeError> {
        let get =
            |name: &str| self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        Envelope::from_headers(get)
    }

    /// Messages of one lane keep their order; a lane that cannot be published holds up no other. It is the first
    /// token of the subject, which is what tells the streams apart.
    pub(super) fn lane(&self) -> String {
        self.subject.split('.').next().unwrap_or_default().to_owned()
    }
}
