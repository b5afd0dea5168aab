//! Choosing the next token.

use crate::formula;

/// Chooses tokens of one sequence; its draws depend only on the seed, the sequence and the step.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_p: f64,
    stream: u64,
    step: u64,
}

impl Sampler {
    /// The draws of one sequence: temperature 0 takes the likeliest token, `top_p` is the nucleus of a draw.
    pub fn new(temperature: f64, top_p: f64, seed: u64, sequence: u64) -> Self {
        Self { temperature, top_p, stream: formula::bits(seed, sequence) >> 24, step: 0 }
    }

    /// The next token; the first of equals when greedy. `None` when a logit is NaN or none is finite.
    pub fn choose(&mut self, logits: &[f32]) -> Option<u32> {
        let draw = formula::unit(self.stream, self.step);
        self.step += 1;
        let best = argmax(logits)?;
        if self.temperature <= 0.0 {
            return Some(best);
        }
        let largest = logits[best as usize];
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
                return Some(id);
            }
        }
        Some(shares[count - 1].0)
    }
}

/// The first of the largest; `None` when a logit is NaN or the largest is not finite.
fn argmax(logits: &[f32]) -> Option<u32> {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            return None;
        }
        if *logit > best.1 {
            best = (id as u32, *logit);
        }
    }
    best.1.is_finite().then_some(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_equals() {
        assert_eq!(Sampler::new(0.0, 1.0, 1, 0).choose(&[0.0, 2.0, 2.0]), Some(1));
    }

    #[test]
    fn a_small_nucleus_is_greedy_and_a_seed_repeats() {
        let logits = [0.1, 0.5, 0.4, 0.2];
        assert_eq!(Sampler::new(1.0, 0.01, 5, 0).choose(&logits), Some(1));
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
        let ones = (0..4000).filter(|_| sampler.choose(&logits) == Some(1)).count();
        assert!((2850..3150).contains(&ones), "{ones}");
    }

    #[test]
    fn what_is_not_a_number_is_no_token() {
        for temperature in [0.0, 1.0] {
            let choose = |logits: &[f32]| Sampler::new(temperature, 1.0, 1, 0).choose(logits);
            assert_eq!(choose(&[0.0, f32::NAN, 2.0]), None);
            assert_eq!(choose(&[f32::NEG_INFINITY; 3]), None);
            assert_eq!(choose(&[f32::NEG_INFINITY, 1.0]), Some(1));
        }
    }
}
