//! Standard errors: in closed form for means, by the harness's seeded bootstrap for what has none.

use rayon::prelude::*;

use crate::engine::python::Random;

/// Draws of the harness's bootstrap for one generator.
const CHUNK: usize = 1000;

/// Sample standard deviation over the square root of n; `None` below two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| sample_deviation(values) / (values.len() as f64).sqrt())
}

fn sample_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// `bootstrap_stderr`: the deviation of a statistic over resamples.
pub(super) fn bootstrap<T: Sync>(
    items: &[T],
    iterations: usize,
    statistic: impl Fn(&[&T]) -> f64 + Sync,
) -> Option<f64> {
    (items.len() > 1 && iterations > 0).then(|| sample_deviation(&resampled(items, iterations, statistic)))
}

/// A statistic of resamples with replacement; chunk i of a thousand draws from `Random(i)`, as in the harness.
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
    anneal_kernels::in_pool(|| (0..iterations / chunk).into_par_iter().flat_map_iter(draws_of).collect())
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

    #[test]
    fn the_bootstrap_draws_as_the_harness_does() {
        // lm_eval.api.metrics.bootstrap_stderr(perplexity, [-1.0, -2.5, -0.3, -4.0], 2000), multiprocessing disabled
        let items = [-1.0, -2.5, -0.3, -4.0_f64];
        let perplexity =
            |sample: &[&f64]| (-(sample.iter().copied().sum::<f64>()) / sample.len() as f64).exp();
        let error = bootstrap(&items, 2000, perplexity).unwrap();
        assert!((error - BOOTSTRAPPED).abs() < 1e-12, "{error}");
    }

    const BOOTSTRAPPED: f64 = 7.570_599_745_496_982;
}
