//! Every stream and durable consumer, with its settings.

use std::time::Duration;

use anneal_domain::spec::{Pool, TaskKind};

use crate::subject;

const DAY: Duration = Duration::from_hours(24);

/// What happens to stored messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A message is gone once its one consumer acknowledged it.
    WorkQueue,
    /// Messages stay until a limit is reached.
    Limits,
}

/// What happens when a stream is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// New messages are refused: the publisher keeps them in its outbox.
    RefuseNew,
    /// The oldest are dropped.
    DropOldest,
}

/// Settings of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: &'static str,
    /// The subjects it stores.
    pub subjects: &'static [&'static str],
    /// What happens to stored messages.
    pub retention: Retention,
    /// What happens when it is full.
    pub full: Full,
    /// Messages older than this are dropped; `None` keeps them.
    pub max_age: Option<Duration>,
    /// Byte limit; `None` has none.
    pub max_bytes: Option<i64>,
}

/// Commands to workers.
pub const TASKS: Stream = Stream {
    name: "TASKS",
    subjects: &["task.v1.dispatch.>"],
    retention: Retention::WorkQueue,
    full: Full::RefuseNew,
    max_age: None,
    max_bytes: None,
};

/// Facts of tasks.
pub const EVENTS: Stream = Stream {
    name: "EVENTS",
    subjects: &["event.v1.>"],
    retention: Retention::Limits,
    full: Full::DropOldest,
    max_age: Some(DAY.saturating_mul(90)),
    max_bytes: None,
};

/// Running time: money is never dropped.
pub const USAGE: Stream = Stream {
    name: "USAGE",
    subjects: &["usage.v1.>"],
    retention: Retention::Limits,
    full: Full::RefuseNew,
    max_age: Some(DAY.saturating_mul(400)),
    max_bytes: None,
};

/// Metrics, log lines and progress.
pub const TELEMETRY: Stream = Stream {
    name: "TELEMETRY",
    subjects: &["telemetry.v1.>"],
    retention: Retention::Limits,
    full: Full::DropOldest,
    max_age: Some(DAY),
    max_bytes: Some(1 << 30),
};

/// Messages that can never be processed, for people to look at.
pub const DEADLETTER: Stream = Stream {
    name: "DEADLETTER",
    subjects: &["deadletter.v1.>"],
    retention: Retention::Limits,
    full: Full::DropOldest,
    max_age: Some(DAY.saturating_mul(90)),
    max_bytes: None,
};

/// Every stream.
pub const ALL: [Stream; 5] = [TASKS, EVENTS, USAGE, TELEMETRY, DEADLETTER];

/// Settings of one durable consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The stream it reads.
    pub stream: Stream,
    /// Its durable name.
    pub durable: String,
    /// The subjects it wants.
    pub filter: String,
    /// A message not acknowledged for this long is delivered again.
    pub ack_wait: Duration,
}

impl Consumer {
    /// Workers of one kind and pool share this queue.
    pub fn workers(kind: TaskKind, pool: Pool) -> Self {
        Self {
            stream: TASKS,
            durable: format!("worker-{}-{}", kind.as_str(), pool.as_str()),
            filter: subject::dispatch(kind, pool),
            ack_wait: Duration::from_secs(30),
        }
    }

    fn projection(stream: Stream, durable: &str, filter: &str) -> Self {
        Self {
            stream,
            durable: durable.to_owned(),
            filter: filter.to_owned(),
            ack_wait: Duration::from_secs(30),
        }
    }

    /// task-api's reading of metrics, logs and progress.
    pub fn telemetry() -> Self {
        Self::projection(TELEMETRY, "task-api-telemetry", "telemetry.v1.>")
    }

    /// task-api's reading of facts into the event log that it serves.
    pub fn event_log() -> Self {
        Self::projection(EVENTS, "task-api-events", "event.v1.>")
    }

    /// billing's reading of facts.
    pub fn billing_events() -> Self {
        Self::projection(EVENTS, "billing-events", "event.v1.>")
    }

    /// billing's reading of running time.
    pub fn billing_usage() -> Self {
        Self::projection(USAGE, "billing-usage", "usage.v1.>")
    }
}
