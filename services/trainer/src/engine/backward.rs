//! One forward and backward pass over a batch: gradients of a loss over the hidden states.

use anneal_kernels::in_pool;
use anneal_model::{Decoder, DropoutState, Gradients, Keep};

use super::{Error, Result, batch::MicroBatch};

/// What a forward and backward pass runs on.
pub(crate) struct Pass<'a> {
    pub(crate) decoder: &'a Decoder,
    pub(crate) batch: &'a MicroBatch,
    /// Recompute each layer in the backward pass.
    pub(crate) checkpointing: bool,
}

impl Pass<'_> {
    /// Adds to `gradients` what `loss` leads to; it is given the hidden states `[t, d]` and answers with their gradient, and with
    /// whatever else the caller wants.
    pub(crate) fn gradients<T: Send>(
        &self,
        dropout: &mut DropoutState,
        gradients: &mut Gradients,
        loss: impl FnOnce(&[f32], &mut Gradients) -> Result<(Vec<f32>, T)> + Send,
    ) -> Result<T> {
        let keep = if self.checkpointing { Keep::LayerInputs } else { Keep::Activations };
        in_pool(|| {
            let Self { decoder, batch, .. } = *self;
            let recorded = decoder.record(&batch.tokens, &batch.segments, Some(dropout), keep);
            let (hidden_td, tape) = recorded.map_err(Error::model("model"))?;
            let (dhidden_td, outcome) = loss(&hidden_td, gradients)?;
            drop(hidden_td);
            tape.backward(decoder, &dhidden_td, gradients).map_err(Error::model("model"))?;
            Ok(outcome)
        })
    }

    /// Hidden states `[t, d]` without dropout.
    pub(crate) fn hidden(decoder: &Decoder, batch: &MicroBatch) -> Result<Vec<f32>> {
        let recorded = in_pool(|| decoder.record(&batch.tokens, &batch.segments, None, Keep::Nothing));
        Ok(recorded.map_err(Error::model("model"))?.0)
    }
}
