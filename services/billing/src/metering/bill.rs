//! The account of one task: what it may cost, what it costs, and the movements that bring the ledger there.

use std::collections::BTreeMap;

use anneal_domain::{
    Microcredits,
    id::{HoldId, TaskId, WorkspaceId},
    money,
    task::TaskState,
};

use super::{Claim, Epoch, Fact, Limits, Terms, TimedFact};
use crate::{Error, ledger::Reason};

/// Where a bill is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Held, and not yet known to be accepted.
    #[default]
    Placed,
    /// Held, never accepted, and given back. An acceptance that comes after all opens it again.
    Lapsed,
    /// The task was accepted.
    Open,
    /// The task has ended.
    Closed,
}

/// The bill of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The task.
    pub task: TaskId,
    /// Who pays.
    pub workspace: WorkspaceId,
    /// How it is charged, once known.
    pub terms: Option<Terms>,
    /// Rate per hour at the quote, later at the latest claim.
    pub rate: Microcredits,
    /// Highest expected cost at launch.
    pub quoted: Microcredits,
    /// The hold.
    pub hold: Option<HoldId>,
    /// Sum of the hold and its extensions.
    pub held: Microcredits,
    /// Sum of captures.
    pub captured: Microcredits,
    /// Sum of credits.
    pub credited: Microcredits,
    /// Sum of releases.
    pub released: Microcredits,
    /// Where it is in its life.
    pub state: State,
    /// Whether the task succeeded.
    pub succeeded: bool,
    /// Whether the task must pause: its hold runs out and cannot be extended.
    pub pause_wanted: bool,
    /// Its leases.
    pub epochs: BTreeMap<u64, Epoch>,
}

/// An amount to be posted for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// What for.
    pub reason: Reason,
    /// How much, more than nothing.
    pub amount: Microcredits,
}

impl Bill {
    /// A bill of which nothing is known yet.
    pub fn new(task: TaskId, workspace: WorkspaceId) -> Self {
        Self {
            task,
            workspace,
            terms: None,
            rate: Microcredits::ZERO,
            quoted: Microcredits::ZERO,
            hold: None,
            held: Microcredits::ZERO,
            captured: Microcredits::ZERO,
            credited: Microcredits::ZERO,
            released: Microcredits::ZERO,
            state: State::Placed,
            succeeded: false,
            pause_wanted: false,
            epochs: BTreeMap::new(),
        }
    }

    /// Merges a fact. Which epoch it touched, if one.
    pub fn learn(&mut self, timed: &TimedFact) -> Option<u64> {
        let at_ms = timed.at_ms;
        match &timed.fact {
            Fact::Queued { kind, hold, held } => {
                self.terms.get_or_insert(Terms::of_launch(*kind, *hold, *held));
                self.hold = self.hold.or(*hold);
                if self.state < State::Open {
                    self.state = State::Open;
                }
                None
            }
            Fact::Claimed { epoch, rate } => {
                if self.epochs.keys().next_back().is_none_or(|latest| latest <= epoch) {
                    self.rate = *rate;
                }
                self.epoch(*epoch).claimed(Claim { at_ms, rate: *rate });
                Some(*epoch)
            }
            Fact::Used { epoch, running_ms } => {
                self.epoch(*epoch).used(*running_ms, at_ms);
                Some(*epoch)
            }
            Fact::Requeued { epoch, state, kept_ms } => {
                self.epoch(*epoch).requeued(*kept_ms, at_ms);
                self.reached(*state);
                Some(*epoch)
            }
            Fact::Finished { epoch, state, running_ms } => {
                self.reached(*state);
                if *epoch == 0 {
                    return None;
                }
                self.epoch(*epoch).finished(*running_ms, at_ms);
                Some(*epoch)
            }
        }
    }

    fn epoch(&mut self, epoch: u64) -> &mut Epoch {
        self.epochs.entry(epoch).or_default()
    }

    fn reached(&mut self, state: TaskState) {
        if state.is_terminal() {
            self.state = State::Closed;
            self.succeeded |= state == TaskState::Succeeded;
        }
    }

    /// What the task costs by the facts known so far; nothing while its terms are unknown.
    pub fn target(&self) -> Result<Microcredits, Error> {
        match self.terms {
            Some(Terms::Estimate(amount)) if self.succeeded => Ok(amount),
            None | Some(Terms::Free | Terms::Estimate(_)) => Ok(Microcredits::ZERO),
            Some(Terms::Metered) => self.epochs.values().try_fold(Microcredits::ZERO, |sum, epoch| {
                sum.checked_add(epoch.amount()?).ok_or(Error::Overflow)
            }),
        }
    }

    /// What the ledger has charged.
    pub fn charged(&self) -> Microcredits {
        Microcredits(self.captured.0 - self.credited.0)
    }

    /// What is left of the hold.
    pub fn remaining(&self) -> Microcredits {
        Microcredits(self.held.0 - self.charged().0 - self.released.0)
    }

    /// Charged running time.
    pub fn billable_ms(&self) -> i64 {
        self.epochs.values().map(Epoch::billable_ms).sum()
    }

    /// The movements that bring the ledger to what the facts say, given what the workspace has available.
    ///
    /// Running time that the hold does not cover is charged all the same (it was used): `available` then goes below zero,
    /// which refuses the next launch.
    pub fn settle(&mut self, available: Microcredits, limits: &Limits) -> Result<Vec<Movement>, Error> {
        let mut movements = Vec::new();
        let mut available = available;
        let owed = self.target()?.checked_sub(self.charged()).ok_or(Error::Overflow)?;
        if owed < Microcredits::ZERO {
            self.go(&mut movements, Reason::Credit, Microcredits(-owed.0))?;
        } else if owed > Microcredits::ZERO {
            let short = Microcredits(owed.0 - self.remaining().0);
            if short > Microcredits::ZERO {
                self.go(&mut movements, Reason::Extend, short)?;
                available = available.checked_sub(short).ok_or(Error::Overflow)?;
            }
            self.go(&mut movements, Reason::Capture, owed)?;
        }
        self.pause_wanted = false;
        if matches!(self.state, State::Closed | State::Lapsed) {
            self.go(&mut movements, Reason::Release, self.remaining())?;
        } else if self.terms == Some(Terms::Metered) && self.epochs.values().any(Epoch::is_running) {
            self.keep_going(&mut movements, available, limits)?;
        }
        Ok(movements)
    }

    fn keep_going(
        &mut self,
        movements: &mut Vec<Movement>,
        available: Microcredits,
        limits: &Limits,
    ) -> Result<(), Error> {
        let cost = |ms| money::charge(ms, self.rate).ok_or(Error::Overflow);
        let margin = cost(limits.margin_ms)?;
        if self.remaining() >= margin {
            return Ok(());
        }
        let more = cost(limits.extend_ms)?.min(available);
        self.go(movements, Reason::Extend, more)?;
        self.pause_wanted = self.remaining() < margin;
        Ok(())
    }

    /// Takes note of a movement; one of nothing is none.
    fn go(
        &mut self,
        movements: &mut Vec<Movement>,
        reason: Reason,
        amount: Microcredits,
    ) -> Result<(), Error> {
        if amount <= Microcredits::ZERO {
            return Ok(());
        }
        let total = match reason {
            Reason::Hold | Reason::Extend => &mut self.held,
            Reason::Capture => &mut self.captured,
            Reason::Credit => &mut self.credited,
            Reason::Release => &mut self.released,
            Reason::Grant | Reason::TopUp => return Ok(()),
        };
        *total = total.checked_add(amount).ok_or(Error::Overflow)?;
        movements.push(Movement { reason, amount });
        Ok(())
    }

    /// Places the hold.
    pub fn place(&mut self, hold: HoldId, amount: Microcredits) -> Result<Vec<Movement>, Error> {
        let mut movements = Vec::new();
        self.hold = Some(hold);
        self.go(&mut movements, Reason::Hold, amount)?;
        Ok(movements)
    }
}
