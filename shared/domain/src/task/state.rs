//! `queued → running → succeeded | failed | stopped | cancelled`, with `pausing → paused → queued`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Verb;

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Its worker was asked to checkpoint and let go.
    Pausing,
    /// At a checkpoint, holding nothing.
    Paused,
    /// Its worker was asked to keep what is done and finish.
    Stopping,
    /// Its worker was asked to discard.
    Cancelling,
    /// Done.
    Succeeded,
    /// Gave up; the reason is kept.
    Failed,
    /// Ended on request, with a usable result where there was a checkpoint.
    Stopped,
    /// Ended on request, discarded.
    Cancelled,
}

/// A step the state machine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {from:?} task cannot {what}")]
pub struct TransitionError {
    /// The state the task is in.
    pub from: TaskState,
    /// What was asked.
    pub what: &'static str,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Stopping,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
        Self::Cancelled,
    ];

    /// The name used in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`TaskState::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The first committed terminal state wins and never changes.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped | Self::Cancelled)
    }

    /// Whether a worker holds its lease.
    pub const fn is_leased(self) -> bool {
        matches!(self, Self::Running | Self::Pausing | Self::Stopping | Self::Cancelling)
    }

    /// A worker claims the task.
    pub fn claim(self) -> Result<Self, TransitionError> {
        match self {
            Self::Queued => Ok(Self::Running),
            from => Err(TransitionError { from, what: "be claimed" }),
        }
    }

    /// A person's request. Asking again for what is already under way changes nothing.
    pub fn request(self, verb: Verb) -> Result<Self, TransitionError> {
        match (verb, self) {
            (Verb::Pause, Self::Queued | Self::Paused) => Ok(Self::Paused),
            (Verb::Pause, Self::Running | Self::Pausing) => Ok(Self::Pausing),
            (Verb::Resume, Self::Paused | Self::Queued) => Ok(Self::Queued),
            (Verb::Stop, Self::Queued | Self::Paused | Self::Stopped) => Ok(Self::Stopped),
            (Verb::Stop, Self::Running | Self::Pausing | Self::Stopping) => Ok(Self::Stopping),
            (Verb::Cancel, Self::Queued | Self::Paused | Self::Cancelled) => Ok(Self::Cancelled),
            (Verb::Cancel, from) if from.is_leased() => Ok(Self::Cancelling),
            (Verb::Pause, from) => Err(TransitionError { from, what: "be paused" }),
            (Verb::Resume, from) => Err(TransitionError { from, what: "be resumed" }),
            (Verb::Stop, from) => Err(TransitionError { from, what: "be stopped" }),
            (Verb::Cancel, from) => Err(TransitionError { from, what: "be cancelled" }),
        }
    }

    /// The lease ran out, or the worker let go for another try.
    pub fn lease_lost(self) -> Result<Self, TransitionError> {
        match self {
            Self::Running => Ok(Self::Queued),
            Self::Pausing => Ok(Self::Paused),
            Self::Stopping => Ok(Self::Stopped),
            Self::Cancelling => Ok(Self::Cancelled),
            from => Err(TransitionError { from, what: "lose a lease" }),
        }
    }

    /// The worker finished: `outcome` is the terminal state it reports, or `Paused`.
    ///
    /// A cancellation that was asked for before the finish wins over every outcome, and a stop over a pause.
    pub fn finish(self, outcome: Self) -> Result<Self, TransitionError> {
        let reportable = outcome.is_terminal() || outcome == Self::Paused;
        match self {
            Self::Cancelling if reportable => Ok(Self::Cancelled),
            Self::Stopping if outcome == Self::Paused => Ok(Self::Stopped),
            from if from.is_leased() && reportable => Ok(outcome),
            from => Err(TransitionError { from, what: "finish" }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_parse_back() {
        for state in TaskState::ALL {
            assert_eq!(TaskState::parse(state.as_str()), Some(state));
        }
        assert_eq!(TaskState::parse("Queued"), None);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Claim,
        Request(Verb),
        LeaseLost,
        Finish(TaskState),
    }

    fn step() -> impl Strategy<Value = Step> {
        let verb = prop_oneof![Just(Verb::Pause), Just(Verb::Resume), Just(Verb::Stop), Just(Verb::Cancel)];
        prop_oneof![
            Just(Step::Claim),
            verb.prop_map(Step::Request),
            Just(Step::LeaseLost),
            proptest::sample::select(TaskState::ALL.to_vec()).prop_map(Step::Finish),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_terminal_state_is_never_left_and_no_accepted_end_is_lost(steps in proptest::collection::vec(step(), 0..40)) {
            let mut state = TaskState::Queued;
            let (mut cancel_accepted, mut stop_accepted) = (false, false);
            for step in steps {
                let next = match step {
                    Step::Claim => state.claim(),
                    Step::Request(verb) => state.request(verb),
                    Step::LeaseLost => state.lease_lost(),
                    Step::Finish(outcome) => state.finish(outcome),
                };
                let Ok(next) = next else { continue };
                prop_assert!(!state.is_terminal() || next == state);
                cancel_accepted |= matches!(step, Step::Request(Verb::Cancel));
                stop_accepted |= matches!(step, Step::Request(Verb::Stop));
                if cancel_accepted {
                    prop_assert!(matches!(next, TaskState::Cancelling | TaskState::Cancelled), "{next:?} after a cancel");
                }
                if stop_accepted {
                    let ends = next.is_terminal() || matches!(next, TaskState::Stopping | TaskState::Cancelling);
                    prop_assert!(ends, "{next:?} after a stop");
                }
                state = next;
            }
        }
    }
}
