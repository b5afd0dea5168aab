//! Direct preference optimisation (Rafailov et al. 2023) with TRL's `sigmoid`, `ipo` and `hinge` losses.
//!
//! The reference is the same model with its adapters off; its log-probabilities of an item are computed once.

use std::collections::HashMap;

use anneal_contracts::engine::{Dpo, DpoLoss};
use anneal_kernels::{IGNORE, rows::TokenWeights};
use anneal_model::{Decoder, DropoutState, Gradients};
use serde::{Deserialize, Serialize};

use super::{Error, Result, backward::Pass, batch::MicroBatch};

/// Log-probabilities of the two completions of a pair: sums over their targets, or means for `ipo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairLogs {
    pub(crate) chosen: f64,
    pub(crate) rejected: f64,
}

/// The reference's answers, by item.
#[derive(Default)]
pub(crate) struct ReferenceLogs(HashMap<u64, PairLogs>);

/// Sums over the pairs of some passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairSums {
    pub(crate) loss: f64,
    pub(crate) pairs: u64,
    pub(crate) reward_chosen: f64,
    pub(crate) reward_rejected: f64,
    pub(crate) accuracy: f64,
    pub(crate) policy: PairLogs,
    pub(crate) reference: PairLogs,
}

impl PairSums {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.pairs += other.pairs;
        self.reward_chosen += other.reward_chosen;
        self.reward_rejected += other.reward_rejected;
        self.accuracy += other.accuracy;
        self.policy.chosen += other.policy.chosen;
        self.policy.rejected += other.policy.rejected;
        self.reference.chosen += other.reference.chosen;
        self.reference.rejected += other.reference.rejected;
    }

    pub(crate) fn is_finite(&self) -> bool {
        let logs = |logs: PairLogs| logs.chosen + logs.rejected;
        let sums = [self.loss, self.reward_chosen, self.reward_rejected];
        sums.into_iter().chain([logs(self.policy), logs(self.reference)]).all(f64::is_finite)
    }

    fn pair(dpo: &Dpo, policy: PairLogs, reference: PairLogs) -> Self {
        let reward_chosen = dpo.beta * (policy.chosen - reference.chosen);
        let reward_rejected = dpo.beta * (policy.rejected - reference.rejected);
        let (loss, _) =
            pair_loss(dpo, (policy.chosen - policy.rejected) - (reference.chosen - reference.rejected));
        let accuracy = f64::from(u8::from(reward_chosen > reward_rejected));
        Self { loss, pairs: 1, reward_chosen, reward_rejected, accuracy, policy, reference }
    }
}

/// The loss of a pair and its derivative, by the difference of the two log-ratios.
fn pair_loss(dpo: &Dpo, difference: f64) -> (f64, f64) {
    let (beta, smoothing) = (dpo.beta, dpo.label_smoothing);
    let z = beta * difference;
    match dpo.loss {
        DpoLoss::Sigmoid => {
            let loss = (1.0 - smoothing) * softplus(-z) + smoothing * softplus(z);
            let sigmoid = 1.0 / (1.0 + z.exp());
            (loss, beta * (-(1.0 - smoothing) * sigmoid + smoothing * (1.0 - sigmoid)))
        }
        DpoLoss::Hinge => ((1.0 - z).max(0.0), if z < 1.0 { -beta } else { 0.0 }),
        DpoLoss::Ipo => {
            let distance = difference - 1.0 / (2.0 * beta);
            (distance * distance, 2.0 * distance)
        }
    }
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Where each sequence of a batch lies, and how much each of its targets weighs in its log-probability.
struct Sides {
    bounds: Vec<(std::ops::Range<usize>, f64)>,
}

impl Sides {
    /// The batch holds all chosen sequences, then all rejected ones.
    fn new(dpo: &Dpo, batch: &MicroBatch) -> Self {
        let bounds = batch.segments.iter().map(|range| {
            let targets = batch.targets[range.clone()].iter().filter(|&&target| target != IGNORE).count();
            let weight = if dpo.loss == DpoLoss::Ipo { 1.0 / targets.max(1) as f64 } else { 1.0 };
            (range, weight)
        });
        Self { bounds: bounds.collect() }
    }

    fn logs(&self, log_probs: &[f32]) -> Vec<PairLogs> {
        let log = |(range, weight): &(std::ops::Range<usize>, f64)| {
            log_probs[range.clone()].iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>() * weight
        };
        let (chosen, rejected) = self.bounds.split_at(self.bounds.len() / 2);
        let sides = chosen.iter().zip(rejected);
        sides.map(|(chosen, rejected)| PairLogs { chosen: log(chosen), rejected: log(rejected) }).collect()
    }

    /// The derivative by each token's `-log p`, from the derivative by each pair's difference.
    fn token_weights(&self, batch: &MicroBatch, slopes: &[f64]) -> Vec<f32> {
        let mut weights = vec![0.0; batch.targets.len()];
        for (index, (range, weight)) in self.bounds.iter().enumerate() {
            let sign = if index < slopes.len() { -1.0 } else { 1.0 };
            let slope = (sign * slopes[index % slopes.len()] * weight) as f32;
            for token in range.clone().filter(|&token| batch.targets[token] != IGNORE) {
                weights[token] = slope;
            }
        }
        weights
    }
}

impl ReferenceLogs {
    /// The reference's log-probabilities of the items of a batch; computed where they are not known yet.
    pub(crate) fn of(
        &mut self,
        decoder: &Decoder,
        dpo: &Dpo,
        items: &[u64],
        batch: &MicroBatch,
    ) -> Result<Vec<PairLogs>> {
        if items.iter().any(|item| !self.0.contains_key(item)) {
            let logs = decoder.with_adapter_disabled(|reference| log_probs(reference, dpo, batch))?;
            self.0.extend(items.iter().copied().zip(logs));
        }
        Ok(items.iter().map(|item| self.0[item]).collect())
    }
}

/// Log-probabilities without dropout.
fn log_probs(decoder: &Decoder, dpo: &Dpo, batch: &MicroBatch) -> Result<Vec<PairLogs>> {
    let h_td = Pass::hidden(decoder, batch)?;
    let losses = decoder.token_losses(&h_td, &batch.targets).map_err(Error::model("model"))?;
    Ok(Sides::new(dpo, batch).logs(&losses.log_probs))
}

/// Adds the gradients of `weight · Σ loss` over the pairs of one pass.
pub(crate) fn gradients(
    pass: &Pass<'_>,
    dpo: &Dpo,
    reference: &[PairLogs],
    weight: f64,
    dropout: &mut DropoutState,
    gradients: &mut Gradients,
) -> Result<PairSums> {
    let sides = Sides::new(dpo, pass.batch);
    let targets = &pass.batch.targets;
    pass.gradients(dropout, gradients, |h_td, gradients| {
        let losses = pass.decoder.token_losses(h_td, targets).map_err(Error::model("model"))?;
        let policy = sides.logs(&losses.log_probs);
        let mut sums = PairSums::default();
        let mut slopes = Vec::with_capacity(policy.len());
        for (&policy, &reference) in policy.iter().zip(reference) {
            sums.add(PairSums::pair(dpo, policy, reference));
            let difference = (policy.chosen - policy.rejected) - (reference.chosen - reference.rejected);
            slopes.push(weight * pair_loss(dpo, difference).1);
        }
        // The loss is a function of sums of log-probabilities: its slope by each token's -log p is minus theirs.
        let weights = sides.token_weights(pass.batch, &slopes);
        let outcome = pass.decoder.loss_gradients(h_td, targets, TokenWeights::Each(&weights), gradients);
        let (_, dh_td) = outcome.map_err(Error::model("model"))?;
        Ok((dh_td, sums))
    })
}

/// The sums alone, without dropout.
pub(crate) fn evaluate(
    decoder: &Decoder,
    dpo: &Dpo,
    reference: &[PairLogs],
    batch: &MicroBatch,
) -> Result<PairSums> {
    let mut sums = PairSums::default();
    for (policy, &reference) in log_probs(decoder, dpo, batch)?.into_iter().zip(reference) {
        sums.add(PairSums::pair(dpo, policy, reference));
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_agree_with_finite_differences() {
        for loss in [DpoLoss::Sigmoid, DpoLoss::Hinge, DpoLoss::Ipo] {
            let label_smoothing = if loss == DpoLoss::Sigmoid { 0.1 } else { 0.0 };
            let dpo = Dpo { beta: 0.3, loss, label_smoothing };
            for difference in [-40.0, -1.0, 0.0, 0.7, 2.0, 50.0] {
                let h = 1e-5;
                let numeric =
                    (pair_loss(&dpo, difference + h).0 - pair_loss(&dpo, difference - h).0) / (2.0 * h);
                let exact = pair_loss(&dpo, difference).1;
                assert!((numeric - exact).abs() < 1e-6, "{loss:?} at {difference}: {numeric} {exact}");
            }
        }
    }
}
