//! Cross-entropy over the targets of a step: the loss of pretraining and supervised fine-tuning.

use anneal_kernels::{
    IGNORE,
    rows::{TokenLosses, TokenWeights},
};
use anneal_model::{Decoder, DropoutState, Gradients};
use serde::{Deserialize, Serialize};

use super::{Error, Result, backward::Pass, batch::MicroBatch};

/// Sums over the targets of some passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenSums {
    /// Sum of `-log p`.
    pub(crate) loss: f64,
    /// Targets that carry loss.
    pub(crate) targets: u64,
    /// Targets that had the highest logit.
    pub(crate) correct: u64,
}

impl TokenSums {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.targets += other.targets;
        self.correct += other.correct;
    }
}

impl TokenSums {
    fn of(losses: &TokenLosses, targets: &[u32]) -> Self {
        Self {
            loss: -losses.log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>(),
            targets: targets.iter().filter(|&&target| target != IGNORE).count() as u64,
            correct: losses.correct as u64,
        }
    }
}

/// Adds the gradients of `weight · Σ −log p` over the targets of one pass.
pub(crate) fn gradients(
    pass: &Pass<'_>,
    weight: f64,
    dropout: &mut DropoutState,
    gradients: &mut Gradients,
) -> Result<TokenSums> {
    let targets = &pass.batch.targets;
    pass.gradients(dropout, gradients, |h_td, gradients| {
        let weights = TokenWeights::Every(weight as f32);
        let outcome = pass.decoder.loss_gradients(h_td, targets, weights, gradients);
        let (losses, dh_td) = outcome.map_err(Error::model("model"))?;
        Ok((dh_td, TokenSums::of(&losses, targets)))
    })
}

/// The sums alone, without dropout.
pub(crate) fn evaluate(decoder: &Decoder, batch: &MicroBatch) -> Result<TokenSums> {
    let h_td = Pass::hidden(decoder, batch)?;
    let losses = decoder.token_losses(&h_td, &batch.targets).map_err(Error::model("model"))?;
    Ok(TokenSums::of(&losses, &batch.targets))
}
