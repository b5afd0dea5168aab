//! The paired bootstrap interval of a difference (Efron 1979): samples are drawn in pairs, so that what is hard for
//! both evaluations does not widen it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::resampling::resampled;

/// Resamples drawn of few samples.
const MOST_RESAMPLES: usize = 10_000;
/// Resamples drawn of however many samples.
const LEAST_RESAMPLES: usize = 1_000;
/// Draws of single samples in all, as far as that leaves enough resamples: about a second's work.
const DRAWS: usize = 100_000_000;
/// Share of the resamples inside the interval.
const LEVEL: f64 = 0.95;

/// Between which values most resampled differences lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Interval {
    /// Share of the resampled differences inside.
    pub level: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Resamples drawn, always from the same seeds.
    pub resamples: usize,
}

/// The interval of `statistic` over resamples of pairs; `None` below two pairs.
pub(crate) fn interval<T: Sync>(pairs: &[T], statistic: impl Fn(&[&T]) -> f64 + Sync) -> Option<Interval> {
    if pairs.len() < 2 {
        return None;
    }
    let resamples = resamples(pairs.len());
    let mut draws = resampled(pairs, resamples, statistic);
    draws.sort_by(f64::total_cmp);
    let outside = (1.0 - LEVEL) / 2.0;
    Some(Interval {
        level: LEVEL,
        low: quantile(&draws, outside),
        high: quantile(&draws, 1.0 - outside),
        resamples,
    })
}

/// How many resamples of so many pairs: whole chunks of the generator's, fewer where each takes long.
fn resamples(pairs: usize) -> usize {
    (DRAWS / pairs / LEAST_RESAMPLES * LEAST_RESAMPLES).clamp(LEAST_RESAMPLES, MOST_RESAMPLES)
}

/// Between the two nearest of sorted values, as numpy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, value) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7)] {
            assert!((quantile(&sorted, share) - value).abs() < 1e-12);
        }
    }

    #[test]
    fn many_samples_are_resampled_less_often() {
        assert_eq!(
            [2, 10_000, 30_000, 100_000, 5_000_000].map(resamples),
            [10_000, 10_000, 3_000, 1_000, 1_000]
        );
    }

    #[test]
    fn the_interval_holds_the_difference_and_does_not_change() {
        let pairs: Vec<f64> = (0..200).map(|index| f64::from(u8::from(index % 10 == 0))).collect();
        let mean = |sample: &[&f64]| sample.iter().copied().sum::<f64>() / sample.len() as f64;
        let found = interval(&pairs, mean).unwrap();
        assert!(found.low > 0.05 && found.low < 0.1 && found.high > 0.1 && found.high < 0.16, "{found:?}");
        assert_eq!(interval(&pairs, mean), Some(found));
        assert_eq!(interval(&pairs[..1], mean), None);
    }
}
