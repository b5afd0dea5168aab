//! The facts that decide a charge, out of all that are published.

use anneal_contracts::{Envelope, event::TaskEvent, usage::UsageReported};
use anneal_domain::{
    Microcredits,
    id::{HoldId, TaskId},
    spec::TaskKind,
    task::TaskState,
};
use serde::{Deserialize, Serialize};

/// A fact that decides a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The task was accepted on these terms.
    Queued {
        /// Its kind.
        kind: TaskKind,
        /// Its hold.
        hold: Option<HoldId>,
        /// The held amount.
        held: Microcredits,
    },
    /// An epoch began at this rate.
    Claimed {
        /// Which.
        epoch: u64,
        /// Rate per hour, frozen.
        rate: Microcredits,
    },
    /// An epoch has run this long so far.
    Used {
        /// Which.
        epoch: u64,
        /// Cumulative.
        running_ms: i64,
    },
    /// An epoch ended without an outcome.
    Requeued {
        /// Which.
        epoch: u64,
        /// The state the task is in now.
        state: TaskState,
        /// What a checkpoint keeps of its running time.
        kept_ms: i64,
    },
    /// An epoch, and perhaps the task, ended.
    Finished {
        /// Which; 0 when the task was never claimed.
        epoch: u64,
        /// `paused`, or a terminal state.
        state: TaskState,
        /// Final running time of the epoch.
        running_ms: i64,
    },
}

/// A fact, the task it is about, and when it was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedFact {
    /// The task.
    pub task: TaskId,
    /// Unix milliseconds, by the envelope.
    pub at_ms: i64,
    /// The fact.
    pub fact: Fact,
}

impl TimedFact {
    /// Reads a fact out of an event; `None` when it decides no charge.
    pub fn of_event(event: &TaskEvent, envelope: &Envelope) -> Option<Self> {
        let (task, fact) = match event {
            TaskEvent::Queued(e) => (e.task, Fact::Queued { kind: e.kind, hold: e.hold, held: e.held }),
            TaskEvent::Claimed(e) => (e.task, Fact::Claimed { epoch: e.epoch, rate: e.rate_per_hour }),
            TaskEvent::Requeued(e) => {
                let kept_ms = e.kept_ms.min(e.charged_ms);
                (e.task, Fact::Requeued { epoch: e.epoch, state: e.state, kept_ms })
            }
            TaskEvent::Finished(e) => {
                (e.task, Fact::Finished { epoch: e.epoch, state: e.state, running_ms: e.running_ms })
            }
            TaskEvent::StageChanged(_) | TaskEvent::CheckpointCommitted(_) | TaskEvent::VerbRequested(_) => {
                return None;
            }
        };
        Some(Self { task, at_ms: unix_ms(&envelope.time), fact })
    }

    /// Reads a usage report.
    pub fn of_usage(usage: &UsageReported, envelope: &Envelope) -> Self {
        let fact = Fact::Used { epoch: usage.epoch, running_ms: usage.running_ms };
        Self { task: usage.task, at_ms: unix_ms(&envelope.time), fact }
    }
}

/// An RFC 3339 time; 0 when it does not parse, which lifts the cap by the lease rather than losing the fact.
fn unix_ms(text: &str) -> i64 {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(text, format)
        .ok()
        .and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
        .unwrap_or_default()
}
