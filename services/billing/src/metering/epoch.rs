//! One lease of a task: how much of it is charged.

use anneal_domain::{Microcredits, money};

use crate::Error;

/// What is known of one lease. Every field merges without regard to order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// Highest running time reported.
    pub watermark_ms: i64,
    /// When the latest report was made.
    pub reported_at_ms: Option<i64>,
    /// When it began and at what rate.
    pub claim: Option<Claim>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// What a checkpoint keeps of it, when its work had to be done again from there.
    pub kept_ms: Option<i64>,
}

/// The beginning of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// When.
    pub at_ms: i64,
    /// Rate per hour, frozen.
    pub rate: Microcredits,
}

impl Epoch {
    /// It began.
    pub fn claimed(&mut self, claim: Claim) {
        self.claim = Some(self.claim.map_or(claim, |known| known.min(claim)));
    }

    /// It had run this long at this time.
    pub fn used(&mut self, running_ms: i64, at_ms: i64) {
        self.watermark_ms = self.watermark_ms.max(running_ms);
        self.reported_at_ms = self.reported_at_ms.max(Some(at_ms));
    }

    /// It ended, with this final running time.
    pub fn finished(&mut self, running_ms: i64, at_ms: i64) {
        self.watermark_ms = self.watermark_ms.max(running_ms);
        self.end(at_ms);
    }

    /// It ended, and what came after `kept_ms` has to be done again.
    pub fn requeued(&mut self, kept_ms: i64, at_ms: i64) {
        self.kept_ms = Some(self.kept_ms.map_or(kept_ms, |known| known.min(kept_ms)));
        self.end(at_ms);
    }

    fn end(&mut self, at_ms: i64) {
        self.ended_at_ms = Some(self.ended_at_ms.map_or(at_ms, |known| known.min(at_ms)));
    }

    /// Whether it has begun and not ended.
    pub fn is_running(&self) -> bool {
        self.claim.is_some() && self.ended_at_ms.is_none()
    }

    /// The running time that is charged: what was reported, at most the time between the claim and the end (or the latest
    /// report), and at most what a checkpoint keeps. Nothing before the claim is known.
    ///
    /// A clock that was set back between the two times says nothing about how long the lease was, and caps nothing.
    pub fn billable_ms(&self) -> i64 {
        let Some(claim) = self.claim else { return 0 };
        let until = self.ended_at_ms.or(self.reported_at_ms);
        let leased_ms = until.map(|until| until.saturating_sub(claim.at_ms)).filter(|leased| *leased >= 0);
        let kept_ms = self.kept_ms.map(|kept| kept.max(0));
        [leased_ms, kept_ms].into_iter().flatten().fold(self.watermark_ms.max(0), i64::min)
    }

    /// What that costs.
    pub fn amount(&self) -> Result<Microcredits, Error> {
        let rate = self.claim.map_or(Microcredits::ZERO, |claim| claim.rate);
        money::charge(self.billable_ms(), rate.max(Microcredits::ZERO)).ok_or(Error::Overflow)
    }
}
