//! Standard errors of what has no closed form: by the harness's seeded bootstrap.

use anneal_comparison::{resampled, sample_deviation};

/// `bootstrap_stderr`: the deviation of a statistic over resamples.
pub(super) fn bootstrap<T: Sync>(
    items: &[T],
    iterations: usize,
    statistic: impl Fn(&[&T]) -> f64 + Sync,
) -> Option<f64> {
    (items.len() > 1 && iterations > 0)
        .then(|| sample_deviation(&anneal_kernels::in_pool(|| resampled(items, iterations, &statistic))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

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
