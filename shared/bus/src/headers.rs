//! Envelopes to and from the broker's headers.

use anneal_contracts::{Envelope, EnvelopeError, Trace, header};
use async_nats::HeaderMap;

pub(crate) fn write(envelope: &Envelope) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in envelope.to_headers() {
        headers.insert(name, value.as_str());
    }
    headers
}

pub(crate) fn read(headers: Option<&HeaderMap>) -> Result<Envelope, EnvelopeError> {
    Envelope::from_headers(|name| get(headers, name))
}

pub(crate) fn write_trace(trace: Trace) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::TRACEPARENT, trace.to_string().as_str());
    headers
}

/// The trace a request belongs to; a fresh one when its header is absent or does not parse.
pub(crate) fn read_trace(headers: Option<&HeaderMap>) -> Trace {
    get(headers, header::TRACEPARENT).and_then(Trace::parse).unwrap_or_else(Trace::fresh)
}

fn get<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    Some(headers?.get(name)?.as_str())
}
