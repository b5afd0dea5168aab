//! True histories of tasks, as the platform would tell them.

use anneal_billing::metering::{Fact, Terms, TimedFact};
use anneal_domain::{
    Microcredits,
    id::{EventId, HoldId, TaskId, WorkspaceId},
    money,
    spec::TaskKind,
    task::TaskState,
};
use proptest::prelude::*;

pub(crate) const TASK: TaskId = TaskId::from_u128(7);
pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::from_u128(8);
/// One micro-credit a millisecond.
pub(crate) const RATE: Microcredits = Microcredits(3_600_000);

/// A fact under its message id.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) event: EventId,
    pub(crate) timed: TimedFact,
    /// A later watermark says all that this one says.
    pub(crate) superseded: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) terms: Terms,
    pub(crate) facts: Vec<Said>,
    /// True beginning and end of each lease.
    leases: Vec<(i64, i64)>,
    /// What is to be charged of each lease, in milliseconds.
    charged_ms: Vec<i64>,
    succeeded: bool,
    pub(crate) ends: bool,
    pub(crate) available: i64,
    pub(crate) hold_first: bool,
}

impl History {
    fn new(terms: Terms) -> Self {
        let mut history = Self {
            terms,
            facts: Vec::new(),
            leases: Vec::new(),
            charged_ms: Vec::new(),
            succeeded: false,
            ends: false,
            available: 10_000_000,
            hold_first: true,
        };
        let (kind, hold, held) = match terms {
            Terms::Free => (TaskKind::Evaluation, None, Microcredits::ZERO),
            Terms::Estimate(amount) => (TaskKind::Evaluation, Some(HoldId::from_u128(1)), amount),
            Terms::Metered => (TaskKind::Training, Some(HoldId::from_u128(1)), Microcredits(600_000)),
        };
        history.say(1_000, Fact::Queued { kind, hold, held });
        history
    }

    fn say(&mut self, at_ms: i64, fact: Fact) {
        let event = EventId::from_u128(self.facts.len() as u128 + 100);
        let timed = TimedFact { task: TASK, at_ms, fact };
        self.facts.push(Said { event, timed, superseded: false });
    }

    /// A lease with watermarks at these running times, ended by this word; what it charges.
    fn lease(&mut self, steps: &[i64], end: &End) {
        let epoch = self.leases.len() as u64 + 1;
        let begin = self.leases.last().map_or(2_000, |(_, end)| end + 500);
        self.say(begin, Fact::Claimed { epoch, rate: RATE });
        let mut running_ms = 0;
        let first = self.facts.len();
        for step in steps {
            running_ms += step;
            self.say(begin + 3 + running_ms, Fact::Used { epoch, running_ms });
        }
        let last = self.facts.len();
        let over = begin + 10 + running_ms;
        let (charged, all_superseded) = match end {
            End::Crash { kept } => {
                let kept_ms = running_ms * kept / 100;
                self.say(over, Fact::Requeued { epoch, state: TaskState::Queued, kept_ms });
                (kept_ms, false)
            }
            End::Word(state) => {
                self.say(over, Fact::Finished { epoch, state: *state, running_ms });
                self.succeeded |= *state == TaskState::Succeeded;
                self.ends |= state.is_terminal();
                (running_ms, true)
            }
            End::Open => (running_ms, false),
        };
        let needed = usize::from(!all_superseded);
        for said in &mut self.facts[first..last.saturating_sub(needed).max(first)] {
            said.superseded = true;
        }
        self.leases.push((begin, over));
        self.charged_ms.push(charged);
    }

    /// What the task must cost.
    pub(crate) fn expected(&self) -> Microcredits {
        match self.terms {
            Terms::Estimate(amount) if self.succeeded => amount,
            Terms::Free | Terms::Estimate(_) => Microcredits::ZERO,
            Terms::Metered => {
                Microcredits(self.charged_ms.iter().map(|ms| money::charge(*ms, RATE).unwrap().0).sum())
            }
        }
    }

    /// How long a lease truly was.
    pub(crate) fn leased_ms(&self, epoch: u64) -> i64 {
        let (begin, end) = self.leases[epoch as usize - 1];
        end - begin
    }

    /// A report that the history does not have.
    pub(crate) fn used(&self, epoch: u64, running_ms: i64) -> Said {
        let (begin, _) = self.leases[epoch as usize - 1];
        let timed =
            TimedFact { task: TASK, at_ms: begin + 3 + running_ms, fact: Fact::Used { epoch, running_ms } };
        Said { event: EventId::from_u128(running_ms as u128 + 1_000_000), timed, superseded: false }
    }
}

#[derive(Clone, Debug)]
enum End {
    /// The lease ran out; this share of its time was kept by a checkpoint.
    Crash { kept: i64 },
    /// The worker had a last word.
    Word(TaskState),
    /// It still runs.
    Open,
}

/// One crash at 60 s with 40 s kept, then 30 s to success.
pub(crate) fn one_crash() -> History {
    let mut history = History::new(Terms::Metered);
    history.lease(&[30_000, 30_000], &End::Crash { kept: 67 });
    history.lease(&[30_000], &End::Word(TaskState::Succeeded));
    for said in &mut history.facts {
        if let Fact::Requeued { kept_ms, .. } = &mut said.timed.fact {
            *kept_ms = 40_000;
        }
    }
    history.charged_ms[0] = 40_000;
    history
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let terms = prop_oneof![
        6 => Just(Terms::Metered),
        1 => Just(Terms::Free),
        1 => Just(Terms::Estimate(Microcredits(123_456))),
    ];
    let steps = || proptest::collection::vec(1_i64..200_000, 0..8);
    let middle =
        prop_oneof![(0_i64..=100).prop_map(|kept| End::Crash { kept }), Just(End::Word(TaskState::Paused)),];
    let leases = proptest::collection::vec((steps(), middle), 0..4);
    let last = prop_oneof![
        3 => proptest::sample::select(vec![
            TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Cancelled,
        ]).prop_map(End::Word),
        1 => Just(End::Open),
    ];
    (terms, leases, (steps(), last), 0_i64..5_000_000, any::<bool>()).prop_map(
        |(terms, leases, (steps, last), available, hold_first)| {
            let mut history = History::new(terms);
            for (steps, end) in &leases {
                history.lease(steps, end);
            }
            history.lease(&steps, &last);
            history.available = available + 1_000_000;
            history.hold_first = hold_first;
            history
        },
    )
}
