//! Distances between two models' predictions for the same tokens.

use anneal_onnx::{Logits, argmax};
use rayon::prelude::*;
use serde::Serialize;

/// Sums over positions; figures are their means.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreement {
    positions: usize,
    scored: usize,
    same_top: usize,
    kl_sum: f64,
    kl_max: f64,
    source_nll: f64,
    artifact_nll: f64,
    difference_sum: f64,
    difference_max: f64,
    not_finite: usize,
}

/// Means and extremes of an [`Agreement`].
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// Predictions compared.
    pub(crate) positions: usize,
    /// Share of predictions whose most likely token is the same.
    pub(crate) top1_agreement: f64,
    /// Mean of KL(source ‖ artifact), in nats.
    pub(crate) mean_kl: f64,
    /// Greatest KL of one position.
    pub(crate) max_kl: f64,
    /// Mean over positions of the mean absolute logit difference.
    pub(crate) mean_logit_distance: f64,
    /// Greatest absolute logit difference.
    pub(crate) max_logit_distance: f64,
    /// Positions at which the artifact's logits were not numbers.
    pub(crate) not_finite: usize,
}

impl Agreement {
    fn merge(self, other: Self) -> Self {
        Self {
            positions: self.positions + other.positions,
            scored: self.scored + other.scored,
            same_top: self.same_top + other.same_top,
            kl_sum: self.kl_sum + other.kl_sum,
            kl_max: self.kl_max.max(other.kl_max),
            source_nll: self.source_nll + other.source_nll,
            artifact_nll: self.artifact_nll + other.artifact_nll,
            difference_sum: self.difference_sum + other.difference_sum,
            difference_max: self.difference_max.max(other.difference_max),
            not_finite: self.not_finite + other.not_finite,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        *self = self.merge(other);
    }

    pub(crate) fn figures(&self) -> Figures {
        let mean = |sum: f64| sum / self.positions.max(1) as f64;
        Figures {
            positions: self.positions,
            top1_agreement: mean(self.same_top as f64),
            mean_kl: mean(self.kl_sum),
            max_kl: self.kl_max,
            mean_logit_distance: mean(self.difference_sum),
            max_logit_distance: self.difference_max,
            not_finite: self.not_finite,
        }
    }

    /// Perplexities of the source and the artifact, and the tokens they are over.
    pub(crate) fn perplexities(&self) -> (f64, f64, usize) {
        let of = |sum: f64| (sum / self.scored.max(1) as f64).exp();
        (of(self.source_nll), of(self.artifact_nll), self.scored)
    }
}

/// Log of the sum of exponentials.
fn log_sum_exp(scores: &[f32]) -> f64 {
    let top = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
    let sum: f64 = scores.iter().map(|&score| f64::from((score - top).exp())).sum();
    f64::from(top) + sum.ln()
}

/// Compares one position; `target` is the token that followed.
fn compare_position(source: &[f32], artifact: &[f32], target: Option<u32>) -> Agreement {
    let (source_norm, artifact_norm) = (log_sum_exp(source), log_sum_exp(artifact));
    let (mut kl, mut difference, mut most) = (0.0, 0.0, 0.0_f64);
    for (&s, &a) in source.iter().zip(artifact) {
        let log_probability = f64::from(s) - source_norm;
        let gap = f64::from(s - a);
        // KL's terms: p (log p − log q)
        kl += f64::from((log_probability as f32).exp()) * (gap - source_norm + artifact_norm);
        difference += gap.abs();
        most = most.max(gap.abs());
    }
    let nll =
        |scores: &[f32], norm: f64| target.map_or(0.0, |token| norm - f64::from(scores[token as usize]));
    Agreement {
        positions: 1,
        scored: usize::from(target.is_some()),
        same_top: usize::from(argmax(source) == argmax(artifact)),
        kl_sum: kl.max(0.0),
        kl_max: kl.max(0.0),
        source_nll: nll(source, source_norm),
        artifact_nll: nll(artifact, artifact_norm),
        difference_sum: difference / source.len().max(1) as f64,
        difference_max: most,
        not_finite: usize::from(!artifact_norm.is_finite()),
    }
}

/// Compares all positions of one window: `source` is row-major `[tokens, vocabulary]`.
pub(crate) fn compare_window(tokens: &[u32], source: &[f32], artifact: &Logits) -> Agreement {
    let vocabulary = source.len() / tokens.len();
    let rows: Vec<(&[f32], &[f32], Option<u32>)> = source
        .chunks_exact(vocabulary)
        .enumerate()
        .map(|(place, row)| (row, artifact.row(0, place), tokens.get(place + 1).copied()))
        .collect();
    rows.into_par_iter()
        .map(|(source, artifact, target)| compare_position(source, artifact, target))
        .reduce(Agreement::default, Agreement::merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_predictions_have_no_distance_and_shifted_ones_no_kl() {
        let scores = [0.5, -1.0, 3.0, 0.0];
        let same = compare_position(&scores, &scores, Some(2)).figures();
        assert!(same.mean_kl < 1e-9 && same.max_logit_distance == 0.0 && same.top1_agreement > 0.999);
        let shifted = scores.map(|score| score + 2.0);
        let moved = compare_position(&scores, &shifted, Some(2));
        assert!(moved.kl_sum < 1e-6, "{moved:?}");
        assert!((moved.figures().max_logit_distance - 2.0).abs() < 1e-6);
        let (source, artifact, tokens) = moved.perplexities();
        assert!((source - artifact).abs() < 1e-6 && tokens == 1);
    }

    #[test]
    fn kl_matches_the_definition_and_a_flip_is_seen() {
        let (source, artifact) = ([0.0_f32, 1.0], [1.0_f32, 0.0]);
        let found = compare_position(&source, &artifact, Some(0));
        let p = 1.0 / (1.0 + 1.0_f64.exp());
        let expected = p * (p / (1.0 - p)).ln() + (1.0 - p) * ((1.0 - p) / p).ln();
        assert!((found.kl_sum - expected).abs() < 1e-6, "{} {expected}", found.kl_sum);
        assert_eq!(found.same_top, 0);
    }

    #[test]
    fn logits_that_are_not_numbers_are_counted() {
        let found = compare_position(&[0.0, 1.0], &[f32::NAN, 1.0], Some(0));
        assert_eq!(found.figures().not_finite, 1);
    }
}
