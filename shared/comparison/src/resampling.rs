//! Standard errors of means, and resamples for what has no closed form: drawn as the reference harness draws them.

use rayon::prelude::*;

use crate::random::Random;

/// Draws of the harness's bootstrap for one generator.
const CHUNK: usize = 1000;

/// Sample standard deviation over the square root of n; `None` below two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| sample_deviation(values) / (values.len() as f64).sqrt())
}

/// The sample standard deviation of at least two values.
pub fn sample_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// A statistic of resamples with replacement, computed in the current pool of threads; chunk i of a thousand draws from
/// `Random(i)`, as in the harness.
pub fn resampled<T: Sync>(
    items: &[T],
    iterations: usize,
    statistic: impl Fn(&[&T]) -> f64 + Sync,
) -> Vec<f64> {
    let chunk = CHUNK.min(iterations).max(1);
    let draws_of = |seed: usize| {
        let mut random = Random::new(seed as u64);
        let mut sample: Vec<&T> = Vec::with_capacity(items.len());
        let draws: Vec<f64> = (0..chunk)
            .map(|_| {
                sample.clear();
                sample.extend((0..items.len()).map(|_| &items[random.choice(items.len())]));
                statistic(&sample)
            })
            .collect();
        draws
    };
    (0..iterations / chunk).into_par_iter().flat_map_iter(draws_of).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_mean_s_error_is_the_harness_s() {
        let values: Vec<f64> = (0..100).map(|index| f64::from(u8::from(index < 48))).collect();
        assert!((standard_error(&values).unwrap() - 0.050_211_673_156_867_795).abs() < 1e-15);
        assert_eq!(standard_error(&[1.0]), None);
    }
}
