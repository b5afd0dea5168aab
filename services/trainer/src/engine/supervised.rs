//! Cross-entropy over the targets of a step: the loss of pretraining and supervised fine-tuning.

use anneal_kernels::linear_cross_entropy;
use anneal_model::{Decoder, DropoutState};
use serde::{Deserialize, Serialize};

use super::{
    Result,
    backward::{Gradients, Pass},
    batch::MicroBatch,
};

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

fn sums(log_probs: &[f32], correct: usize) -> TokenSums {
    TokenSums {
        loss: -log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>(),
        targets: log_probs.len() as u64,
        correct: correct as u64,
    }
}

/// Gradients of `weight · Σ −log p` over the targets of one pass.
pub(crate) fn gradients(
    pass: &Pass<'_>,
    weight: f64,
    dropout: &mut DropoutState,
) -> Result<(Gradients, TokenSums)> {
    let (output_vd, trainable) = pass.decoder.output_weight();
    let compute = pass.decoder.compute();
    pass.gradients(dropout, |h_td| {
        let loss = linear_cross_entropy(h_td, output_vd, trainable, &pass.batch.targets, compute)?;
        Ok(((loss.loss_sum * weight)?, sums(&loss.log_probs, loss.correct)))
    })
}

/// The sums alone, without dropout and outside any graph.
pub(crate) fn evaluate(decoder: &Decoder, batch: &MicroBatch) -> Result<TokenSums> {
    let h_td = Pass::hidden(decoder, batch)?;
    let (output_vd, _) = decoder.output_weight();
    let loss = linear_cross_entropy(&h_td, &output_vd.detach(), false, &batch.targets, decoder.compute())?;
    Ok(sums(&loss.log_probs, loss.correct))
}
