//! Money: whole micro-credits, checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Micro-credits in one credit.
pub const MICROCREDITS_PER_CREDIT: i64 = 1_000_000;

/// Milliseconds in one hour, the unit of every rate.
pub const MS_PER_HOUR: i64 = 3_600_000;

/// An amount in micro-credits; a debit is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Microcredits(pub i64);

impl Microcredits {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Sum, or `None` past the range of `i64`.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Difference, or `None` past the range of `i64`.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }
}

impl fmt::Display for Microcredits {
    /// Credits with six decimals, exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let unit = MICROCREDITS_PER_CREDIT.unsigned_abs();
        write!(f, "{sign}{}.{:06}", amount / unit, amount % unit)
    }
}

/// What a running time costs: `floor(ms · rate / 3 600 000)`, or `None` past the range of `i64`.
///
/// Charging differences of this function over a cumulative time never drifts by rounding: the differences telescope.
pub fn charge(running_ms: i64, rate_per_hour: Microcredits) -> Option<Microcredits> {
    let exact = i128::from(running_ms) * i128::from(rate_per_hour.0);
    i64::try_from(exact.div_euclid(i128::from(MS_PER_HOUR))).ok().map(Microcredits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_hour_costs_the_rate() {
        assert_eq!(charge(MS_PER_HOUR, Microcredits(12_345)), Some(Microcredits(12_345)));
        assert_eq!(charge(1, Microcredits(3_599_999)), Some(Microcredits::ZERO));
        assert_eq!(charge(i64::MAX, Microcredits(i64::MAX)), None);
    }

    #[test]
    fn shown_in_credits() {
        assert_eq!(Microcredits(1_500_000).to_string(), "1.500000");
        assert_eq!(Microcredits(-1).to_string(), "-0.000001");
        assert_eq!(Microcredits(i64::MIN).to_string(), "-9223372036854.775808");
    }

    proptest! {
        #[test]
        fn differences_telescope(mut marks in proptest::collection::vec(0_i64..100_000_000, 1..30), rate in 0_i64..10_000_000_000) {
            marks.sort_unstable();
            let rate = Microcredits(rate);
            let mut charged = 0;
            let mut last = 0;
            for mark in &marks {
                charged += charge(*mark, rate).unwrap().0 - charge(last, rate).unwrap().0;
                last = *mark;
            }
            prop_assert_eq!(Microcredits(charged), charge(last, rate).unwrap());
        }
    }
}
