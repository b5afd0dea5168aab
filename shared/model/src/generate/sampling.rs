//! Choosing the next token.

use crate::formula;

/// Chooses tokens of one sequence; its draws depend only on the seed, the sequence and the step.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    temperature: f64,
    top_p: f64,
    stream: u64,
    step: u64,
}

impl Sampler {
    pub(super) fn new(temperature: f64, top_p: f64, seed: u64, sequence: u64) -> Self {
        Self { temperature, top_p, stream: formula::bits(seed, sequence) >> 24, step: 0 }
    }

    /// The next token; the first of equals when greedy.
    pub(super) fn choose(&mut self, logits: &[f32]) -> u32 {
        let draw = formula::unit(self.stream, self.step);
        self.step += 1;
        if self.temperature <= 0.0 {
            return argmax(logits);
        }
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut shares: Vec<(u32, f64)> = logits
            .iter()
            .enumerate()
            .map(|(id, &l)| (id as u32, (f64::from(l - largest) / self.temperature).exp()))
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f64 = shares.iter().map(|s| s.1).sum();
        let mut kept = 0.0;
        let enough = self.top_p * total;
        let mut count = shares.len();
        for (index, share) in shares.iter().enumerate() {
            kept += share.1;
            if kept >= enough {
                count = index + 1;
                break;
            }
        }
        let mut left = draw * kept;
        for &(id, share) in &shares[..count] {
            left -= share;
            if left < 0.0 {
                return id;
            }
        }
        shares[count - 1].0
    }
}

/// The first of the largest.
fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_equals() {
        assert_eq!(Sampler::new(0.0, 1.0, 1, 0).choose(&[0.0, 2.0, 2.0]), 1);
    }

    #[test]
    fn a_small_nucleus_is_greedy_and_a_seed_repeats() {
        let logits = [0.1, 0.5, 0.4, 0.2];
        assert_eq!(Sampler::new(1.0, 0.01, 5, 0).choose(&logits), 1);
        let run = |seed| {
            let mut sampler = Sampler::new(1.0, 1.0, seed, 0);
            (0..50).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn shares_follow_the_logits() {
        let logits = [0.0, f32::ln(3.0)];
        let mut sampler = Sampler::new(1.0, 1.0, 9, 0);
        let ones = (0..4000).filter(|_| sampler.choose(&logits) == 1).count();
        assert!((2850..3150).contains(&ones), "{ones}");
    }
}
