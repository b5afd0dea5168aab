//! CloudEvents 1.0 in binary mode over message headers.
//!
//! Context attributes are headers with the prefix `ce-`; the payload is the message body. `Nats-Msg-Id` equals `ce-id`.
//! Source: CloudEvents NATS protocol binding, version 1.0.2, and the W3C Trace Context recommendation.

use std::fmt;

use anneal_domain::id::{EventId, WorkspaceId};

/// Header names.
pub mod header {
    /// CloudEvents version, always `1.0`.
    pub const SPEC_VERSION: &str = "ce-specversion";
    /// Unique id of the message; the broker drops a second one within its window.
    pub const ID: &str = "ce-id";
    /// Versioned message type.
    pub const TYPE: &str = "ce-type";
    /// The service that says it.
    pub const SOURCE: &str = "ce-source";
    /// The task it is about.
    pub const SUBJECT: &str = "ce-subject";
    /// When it happened, RFC 3339 in UTC.
    pub const TIME: &str = "ce-time";
    /// The workspace it belongs to (extension).
    pub const WORKSPACE: &str = "ce-workspace";
    /// The lease epoch it was said under (extension).
    pub const EPOCH: &str = "ce-epoch";
    /// Its place in that epoch (extension).
    pub const SEQ: &str = "ce-seq";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// The broker's duplicate key.
    pub const MSG_ID: &str = "Nats-Msg-Id";
}

/// W3C `traceparent`: the trace a message belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The id of the whole trace; the same from the HTTP request to the last event of the task.
    pub trace_id: u128,
    /// The id of the span that said this.
    pub span_id: u64,
}

impl Trace {
    /// A fresh trace.
    pub fn fresh() -> Self {
        let bits = uuid::Uuid::new_v4().as_u128();
        Self { trace_id: bits, span_id: Self::fresh_span() }
    }

    /// A child span of this trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { trace_id: self.trace_id, span_id: Self::fresh_span() }
    }

    fn fresh_span() -> u64 {
        (uuid::Uuid::new_v4().as_u128() as u64) | 1
    }

    /// Reads a `traceparent` header of version 00.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |s: &str| s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let shaped = version == "00" && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        if !shaped || parts.next().is_some() || !lower_hex(trace) || !lower_hex(span) {
            return None;
        }
        let parsed = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
        };
        (parsed.trace_id != 0 && parsed.span_id != 0).then_some(parsed)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The context attributes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Unique id.
    pub id: EventId,
    /// Versioned type, such as `anneal.task.queued.v1`.
    pub kind: String,
    /// The service that says it, such as `/anneal/task-api`.
    pub source: String,
    /// What it is about, such as a task id.
    pub subject: String,
    /// When it happened, RFC 3339 in UTC.
    pub time: String,
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// The lease epoch it was said under; 0 before the first claim.
    pub epoch: u64,
    /// Its place in that epoch.
    pub seq: u64,
    /// The trace it belongs to.
    pub trace: Trace,
}

/// Headers that are no envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A required header is absent.
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    /// A header does not parse.
    #[error("header `{name}` has the unusable value `{value}`")]
    Invalid {
        /// Which header.
        name: &'static str,
        /// What it held.
        value: String,
    },
}

impl Envelope {
    /// The headers to send.
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        vec![
            (header::SPEC_VERSION, "1.0".to_owned()),
            (header::ID, self.id.to_string()),
            (header::MSG_ID, self.id.to_string()),
            (header::TYPE, self.kind.clone()),
            (header::SOURCE, self.source.clone()),
            (header::SUBJECT, self.subject.clone()),
            (header::TIME, self.time.clone()),
            (header::WORKSPACE, self.workspace.to_string()),
            (header::EPOCH, self.epoch.to_string()),
            (header::SEQ, self.seq.to_string()),
            (header::TRACEPARENT, self.trace.to_string()),
        ]
    }

    /// Reads an envelope from received headers.
    pub fn from_headers<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, EnvelopeError> {
        let need = |name: &'static str| get(name).ok_or(EnvelopeError::Missing(name));
        let version = need(header::SPEC_VERSION)?;
        if version != "1.0" {
            return Err(invalid(header::SPEC_VERSION, version));
        }
        Ok(Self {
            id: parse(header::ID, need(header::ID)?)?,
            kind: need(header::TYPE)?.to_owned(),
            source: need(header::SOURCE)?.to_owned(),
            subject: need(header::SUBJECT)?.to_owned(),
            time: need(header::TIME)?.to_owned(),
            workspace: parse(header::WORKSPACE, need(header::WORKSPACE)?)?,
            epoch: parse(header::EPOCH, need(header::EPOCH)?)?,
            seq: parse(header::SEQ, need(header::SEQ)?)?,
            trace: need(header::TRACEPARENT)
                .and_then(|text| Trace::parse(text).ok_or_else(|| invalid(header::TRACEPARENT, text)))?,
        })
    }
}

fn parse<T: std::str::FromStr>(name: &'static str, value: &str) -> Result<T, EnvelopeError> {
    value.parse().map_err(|_| invalid(name, value))
}

fn invalid(name: &'static str, value: &str) -> EnvelopeError {
    EnvelopeError::Invalid { name, value: value.chars().take(80).collect() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back() {
        let sent = Envelope {
            id: EventId::new(),
            kind: "anneal.task.queued.v1".to_owned(),
            source: "/anneal/task-api".to_owned(),
            subject: "task-1".to_owned(),
            time: "2026-01-02T03:04:05.678Z".to_owned(),
            workspace: WorkspaceId::new(),
            epoch: 3,
            seq: 4,
            trace: Trace::fresh(),
        };
        let headers = sent.to_headers();
        let get = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!(Envelope::from_headers(get).unwrap(), sent);
        let without = |name: &str| if name == header::EPOCH { None } else { get(name) };
        assert_eq!(Envelope::from_headers(without), Err(EnvelopeError::Missing(header::EPOCH)));
    }

    #[test]
    fn traceparent_is_strict() {
        let trace = Trace::fresh();
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
        assert_eq!(trace.child().trace_id, trace.trace_id);
        for bad in [
            "",
            "00-00000000000000000000000000000000-0000000000000001-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad:?}");
        }
    }
}
