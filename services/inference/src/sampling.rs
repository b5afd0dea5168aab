//! Choosing the next token from logits.

use std::collections::HashMap;

use anneal_model::formula;
use anneal_onnx::argmax;

/// How tokens are chosen.
#[derive(Clone, Debug)]
pub(crate) struct Sampling {
    /// 0 takes the most likely token.
    pub(crate) temperature: f32,
    /// Only the most likely tokens that together have this probability.
    pub(crate) top_p: f32,
    pub(crate) seed: u64,
    pub(crate) presence_penalty: f32,
    pub(crate) frequency_penalty: f32,
    pub(crate) logit_bias: HashMap<u32, f32>,
}

impl Sampling {
    fn adjusts(&self) -> bool {
        self.presence_penalty != 0.0 || self.frequency_penalty != 0.0 || !self.logit_bias.is_empty()
    }

    /// Logits after bias and penalties (OpenAI's formula: `− count · frequency − [count > 0] · presence`).
    fn adjust(&self, logits: &[f32], written: &[u32]) -> Vec<f32> {
        let mut adjusted = logits.to_vec();
        for (&token, bias) in &self.logit_bias {
            if let Some(logit) = adjusted.get_mut(token as usize) {
                *logit += bias;
            }
        }
        let mut counts: HashMap<u32, f32> = HashMap::new();
        for &token in written {
            *counts.entry(token).or_default() += 1.0;
        }
        for (token, count) in counts {
            if let Some(logit) = adjusted.get_mut(token as usize) {
                *logit -= count * self.frequency_penalty + self.presence_penalty;
            }
        }
        adjusted
    }

    /// The token to write after `written`.
    pub(crate) fn choose(&self, logits: &[f32], written: &[u32]) -> u32 {
        if self.adjusts() {
            return self.draw(&self.adjust(logits, written), written.len());
        }
        self.draw(logits, written.len())
    }

    fn draw(&self, logits: &[f32], step: usize) -> u32 {
        if self.temperature <= 0.0 {
            return argmax(logits);
        }
        let top = logits.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
        let weight = |logit: f32| f64::from((logit - top) / self.temperature).exp();
        let mut candidates: Vec<(u32, f64)> = logits
            .iter()
            .enumerate()
            .filter(|(_, logit)| logit.is_finite())
            .map(|(token, &logit)| (token as u32, weight(logit)))
            // 1e-9 of the most likely token: a vocabulary's tail is not worth sorting.
            .filter(|&(_, weight)| weight > 1e-9)
            .collect();
        candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let (mut kept, mut mass) = (0, 0.0);
        for &(_, weight) in &candidates {
            mass += weight;
            kept += 1;
            if mass >= f64::from(self.top_p) * total {
                break;
            }
        }
        let mut left = formula::unit(self.seed, step as u64) * mass;
        for &(token, weight) in &candidates[..kept] {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        candidates.first().map_or_else(|| argmax(logits), |&(token, _)| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f32, top_p: f32) -> Sampling {
        Sampling {
            temperature,
            top_p,
            seed: 7,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: HashMap::new(),
        }
    }

    #[test]
    fn zero_temperature_is_greedy_and_a_tiny_nucleus_too() {
        let logits = [0.0, 2.0, 1.0];
        assert_eq!(sampling(0.0, 1.0).choose(&logits, &[]), 1);
        for step in 0..50 {
            assert_eq!(sampling(1.0, 0.01).choose(&logits, &vec![0; step]), 1);
        }
    }

    #[test]
    fn draws_follow_the_distribution_and_repeat_with_the_seed() {
        let logits = [0.0, (3.0_f32).ln()];
        let draw = |step: usize| sampling(1.0, 1.0).choose(&logits, &vec![0; step]);
        let ones = (0..2000).filter(|&step| draw(step) == 1).count();
        assert!((1400..1600).contains(&ones), "{ones}");
        assert_eq!(draw(5), draw(5));
    }

    #[test]
    fn penalties_and_bias_move_the_choice() {
        let mut greedy = sampling(0.0, 1.0);
        greedy.frequency_penalty = 1.0;
        assert_eq!(greedy.choose(&[0.0, 1.5], &[1, 1]), 0);
        let mut biased = sampling(0.0, 1.0);
        biased.logit_bias.insert(0, 100.0);
        assert_eq!(biased.choose(&[0.0, 1.5], &[]), 0);
    }

    #[test]
    fn logits_that_are_not_numbers_never_panic() {
        assert_eq!(sampling(1.0, 1.0).choose(&[f32::NAN, f32::NAN], &[]), 0);
    }
}
