//! Gradients of a loss over the hidden states, with all activations kept or with only each layer's input kept.

use anneal_model::{Decoder, DropoutState};
use candle_core::{Tensor, Var, backprop::GradStore};

use super::{Error, Result, batch::MicroBatch};

/// One gradient a trained variable, in the decoder's order; `None` where nothing reached it.
pub(crate) type Gradients = Vec<Option<Tensor>>;

/// What a forward and backward pass runs on.
pub(crate) struct Pass<'a> {
    pub(crate) decoder: &'a Decoder,
    pub(crate) batch: &'a MicroBatch,
    pub(crate) trainable: &'a [(String, Var)],
    /// Recompute each layer in the backward pass.
    pub(crate) checkpointing: bool,
}

impl Pass<'_> {
    /// Gradients of the scalar that `loss` makes of the hidden states `[t, d]`, and what else it returns.
    pub(crate) fn gradients<T>(
        &self,
        dropout: &mut DropoutState,
        loss: impl FnOnce(&Tensor) -> Result<(Tensor, T)>,
    ) -> Result<(Gradients, T)> {
        if self.checkpointing {
            return self.recomputed(dropout, loss);
        }
        let hidden = self.decoder.hidden(&self.batch.tokens, &self.batch.segments, Some(dropout));
        let (loss, outcome) = loss(&hidden.map_err(Error::model("model"))?)?;
        let mut gradients = vec![None; self.trainable.len()];
        self.collect(&mut gradients, &loss.backward()?)?;
        Ok((gradients, outcome))
    }

    /// Hidden states `[t, d]` outside any graph, without dropout.
    pub(crate) fn hidden(decoder: &Decoder, batch: &MicroBatch) -> Result<Tensor> {
        let run = || -> anneal_model::Result<Tensor> {
            let pass = decoder.pass(&batch.segments)?;
            let mut x_td = decoder.embed(&batch.tokens)?.detach();
            for index in 0..decoder.layers().len() {
                x_td = decoder.layer(index, &x_td, &pass, None)?.detach();
            }
            Ok(decoder.final_norm(&x_td)?.detach())
        };
        run().map_err(Error::model("model"))
    }

    /// Chen et al. 2016, one layer a segment: the same products in the same order as with all activations kept.
    fn recomputed<T>(
        &self,
        dropout: &mut DropoutState,
        loss: impl FnOnce(&Tensor) -> Result<(Tensor, T)>,
    ) -> Result<(Gradients, T)> {
        let decoder = self.decoder;
        let pass = decoder.pass(&self.batch.segments).map_err(Error::model("model"))?;
        let embedded = decoder.embed(&self.batch.tokens).map_err(Error::model("model"))?;
        let mut x_td = embedded.detach();
        let mut inputs = Vec::with_capacity(decoder.layers().len());
        for index in 0..decoder.layers().len() {
            inputs.push((x_td.clone(), dropout.clone()));
            let layer = decoder.layer(index, &x_td, &pass, Some(&mut *dropout));
            x_td = layer.map_err(Error::model("model"))?.detach();
        }
        let mut gradients = vec![None; self.trainable.len()];
        let last = Var::from_tensor(&x_td)?;
        let (loss, outcome) = loss(&decoder.final_norm(last.as_tensor()).map_err(Error::model("model"))?)?;
        let mut dx_td = self.step_back(&mut gradients, &loss, &last)?;
        for (index, (input, mut state)) in inputs.into_iter().enumerate().rev() {
            let input = Var::from_tensor(&input)?;
            let layer = decoder.layer(index, input.as_tensor(), &pass, Some(&mut state));
            let through = (layer.map_err(Error::model("model"))? * dx_td)?.sum_all()?;
            dx_td = self.step_back(&mut gradients, &through, &input)?;
        }
        if embedded.track_op() {
            self.collect(&mut gradients, &(embedded * dx_td)?.sum_all()?.backward()?)?;
        }
        Ok((gradients, outcome))
    }

    /// Adds what `loss` gives to the trained variables, and returns what it gives to `input`.
    fn step_back(&self, gradients: &mut Gradients, loss: &Tensor, input: &Var) -> Result<Tensor> {
        let store = loss.backward()?;
        self.collect(gradients, &store)?;
        match store.get(input.as_tensor()) {
            Some(gradient) => Ok(gradient.clone()),
            None => Ok(input.as_tensor().zeros_like()?),
        }
    }

    fn collect(&self, gradients: &mut Gradients, store: &GradStore) -> Result<()> {
        for ((_, var), sum) in self.trainable.iter().zip(gradients) {
            if let Some(gradient) = store.get(var.as_tensor()) {
                add(sum, gradient)?;
            }
        }
        Ok(())
    }
}

/// Adds the gradients of a pass to those of the passes before it.
pub(crate) fn accumulate(sums: &mut Gradients, gradients: Gradients) -> Result<()> {
    for (sum, gradient) in sums.iter_mut().zip(gradients) {
        if let Some(gradient) = gradient {
            add(sum, &gradient)?;
        }
    }
    Ok(())
}

fn add(sum: &mut Option<Tensor>, gradient: &Tensor) -> Result<()> {
    *sum = Some(match sum.take() {
        Some(sum) => (sum + gradient)?,
        None => gradient.clone(),
    });
    Ok(())
}
