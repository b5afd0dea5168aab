//! How long a worker may believe that a task is its own.

use std::time::{Duration, Instant};

/// A lease, on the monotonic clock. Time counts from **before** the claim or renewal was sent, so that it ends here no later
/// than where it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    end: Instant,
}

impl Lease {
    /// The lease of a claim that was sent at `sent` and answered with `length`.
    pub fn new(sent: Instant, length: Duration) -> Self {
        Self { end: sent + length }
    }

    /// A renewal sent at `sent` was answered with `length`. An answer that came late never shortens the lease.
    pub fn renew(&mut self, sent: Instant, length: Duration) {
        self.end = self.end.max(sent + length);
    }

    /// Whether the task may be another's by now.
    pub fn is_lost(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// How long it still lasts.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.end.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One renewal: how long after the previous it was sent, how long it travelled there and back, and its fate.
    #[derive(Clone, Debug)]
    struct Renewal {
        gap_ms: u64,
        there_ms: u64,
        back_ms: u64,
        fate: Fate,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        Answered,
        /// It took hold, but its answer never came.
        AnswerLost,
        NeverArrived,
    }

    fn renewal() -> impl Strategy<Value = Renewal> {
        let fate = prop_oneof![3 => Just(Fate::Answered), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::NeverArrived)];
        (0_u64..40_000, 0_u64..20_000, 0_u64..20_000, fate)
            .prop_map(|(gap_ms, there_ms, back_ms, fate)| Renewal { gap_ms, there_ms, back_ms, fate })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whatever is delayed or lost: at every instant at which the worker believes, the database has not let go.
        #[test]
        fn the_worker_never_believes_longer_than_the_database(
            claim_there in 0_u64..5_000,
            renewals in proptest::collection::vec(renewal(), 0..30),
            probe_ms in 0_u64..200_000,
        ) {
            let length = Duration::from_secs(45);
            let start = Instant::now();
            let at = |ms: u64| start + Duration::from_millis(ms);
            // The database's side: its lease runs from when the request took hold there.
            let mut held_until = at(claim_there) + length;
            let mut believed = Lease::new(at(0), length);
            let mut answers: Vec<(Instant, Instant)> = Vec::new();
            let mut sent_ms = 0;
            for renewal in &renewals {
                sent_ms += renewal.gap_ms;
                let arrived = at(sent_ms + renewal.there_ms);
                if renewal.fate == Fate::NeverArrived || arrived >= held_until {
                    continue;
                }
                if arrived <= at(probe_ms) {
                    held_until = held_until.max(arrived + length);
                }
                if renewal.fate == Fate::Answered {
                    answers.push((at(sent_ms + renewal.there_ms + renewal.back_ms), at(sent_ms)));
                }
            }
            for (came, sent) in answers {
                if came <= at(probe_ms) {
                    believed.renew(sent, length);
                }
            }
            if !believed.is_lost(at(probe_ms)) {
                prop_assert!(at(probe_ms) < held_until);
                prop_assert!(believed.remaining(at(probe_ms)) <= held_until - at(probe_ms));
            }
        }
    }
}
