//! What a task would cost, before it is launched.

use anneal_contracts::rpc::QuoteRequest;
use anneal_domain::{Microcredits, money};

use crate::{
    Error, Prices,
    metering::{Limits, Terms},
};

/// A priced request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// Rate per hour.
    pub(crate) rate: Microcredits,
    /// Cost of the shortest and the longest expected running time.
    pub(crate) range: [Microcredits; 2],
    /// What would be held at launch.
    pub(crate) hold: Microcredits,
    /// How the task will be charged.
    pub(crate) terms: Terms,
}

impl Quote {
    /// Prices a request. A metered task holds its highest expected cost, and never less than the limits' floor, so that a
    /// short task needs no extension.
    pub(crate) fn of(request: &QuoteRequest, prices: &Prices, limits: &Limits) -> Result<Self, Error> {
        let rate = prices.rate(request.kind, request.pool);
        let [low_ms, high_ms] = request.expected_ms;
        if low_ms < 0 || high_ms < low_ms {
            return Err(Error::refused("invalid_quote", "expected_ms must be two increasing times"));
        }
        let cost = |ms: i64| money::charge(ms, rate).ok_or(Error::Overflow);
        if request.free {
            let zero = Microcredits::ZERO;
            return Ok(Self { rate, range: [zero; 2], hold: zero, terms: Terms::Free });
        }
        if request.by_estimate {
            let estimate = cost(low_ms + (high_ms - low_ms) / 2)?;
            return Ok(Self { rate, range: [estimate; 2], hold: estimate, terms: Terms::Estimate(estimate) });
        }
        let range = [cost(low_ms)?, cost(high_ms)?];
        let hold = range[1].max(cost(limits.hold_floor_ms)?);
        Ok(Self { rate, range, hold, terms: Terms::Metered })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_domain::{
        id::WorkspaceId,
        spec::{Pool, TaskKind},
    };

    use super::*;

    fn request(free: bool, by_estimate: bool, expected_ms: [i64; 2]) -> QuoteRequest {
        QuoteRequest {
            workspace: WorkspaceId::from_u128(1),
            kind: TaskKind::Evaluation,
            pool: Pool::Fast,
            expected_ms,
            free,
            by_estimate,
        }
    }

    fn quote(request: &QuoteRequest) -> Result<Quote, Error> {
        Quote::of(request, &Prices::default(), &Limits::default())
    }

    #[test]
    fn each_way_of_charging_has_its_hold() {
        let hour = 3_600_000;
        let metered = quote(&request(false, false, [hour, 2 * hour])).unwrap();
        assert_eq!(metered.range, [Microcredits(3_000_000), Microcredits(6_000_000)]);
        assert_eq!(metered.hold, Microcredits(6_000_000));
        let short = quote(&request(false, false, [1, 2])).unwrap();
        assert_eq!(short.hold, Microcredits(500_000), "ten minutes at the least");
        let estimated = quote(&request(false, true, [hour, 3 * hour])).unwrap();
        assert_eq!(estimated.terms, Terms::Estimate(Microcredits(6_000_000)));
        assert_eq!(estimated.hold, Microcredits(6_000_000));
        assert_eq!(quote(&request(true, false, [hour, hour])).unwrap().hold, Microcredits::ZERO);
    }

    #[test]
    fn nonsense_is_refused() {
        for expected_ms in [[-1, 5], [5, 4]] {
            assert!(matches!(quote(&request(false, false, expected_ms)), Err(Error::Refused(_))));
        }
        let endless = QuoteRequest { kind: TaskKind::Training, ..request(false, false, [0, i64::MAX]) };
        assert!(matches!(quote(&endless), Err(Error::Overflow)));
    }
}
