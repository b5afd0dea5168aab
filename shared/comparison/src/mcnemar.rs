//! McNemar's exact test (McNemar 1947): of the samples that changed, is right to wrong as likely as wrong to right?

/// The two-sided probability of a split at least as uneven, were both directions equally likely; 1 when nothing changed.
pub(crate) fn exact_p(right_to_wrong: usize, wrong_to_right: usize) -> f64 {
    let n = (right_to_wrong + wrong_to_right) as f64;
    let few = right_to_wrong.min(wrong_to_right);
    // The logarithm of the binomial probability of k in n at a half: the probability itself may be too small for a double.
    let mut logarithm = -n * std::f64::consts::LN_2;
    let mut tail = logarithm.exp();
    for k in 0..few {
        logarithm += ((n - k as f64) / (k as f64 + 1.0)).ln();
        tail += logarithm.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue
        for (b, c, p) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (0, 6, 0.031_25),
            (5, 15, 0.041_389_465_332_031_25),
            (7, 7, 1.0),
            (120, 170, 0.003_933_336_512_825_17),
        ] {
            assert!((exact_p(b, c) - p).abs() < 1e-12, "{b} {c}: {}", exact_p(b, c));
            assert!((exact_p(c, b) - p).abs() < 1e-12);
        }
        let many = exact_p(600, 900);
        assert!(many > 0.0 && many < 1e-13, "{many}");
    }
}
