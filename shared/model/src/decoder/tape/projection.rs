//! One linear with its bias and adapter: rows through it, and gradients back.

use anneal_kernels::{
    Compute,
    rows::{
        WeightRows, add, add_bias, add_scaled, column_sums, multiply, scaled, weight_gradient, with_floats,
    },
};
use candle_core::Tensor;

use super::{Gradients, with_vector};
use crate::decoder::dropout::DropoutState;
use crate::decoder::lora::Lora;
use crate::decoder::projection::{Projection, Weight};
use crate::error::Result;

/// What an adapter's gradients need.
#[derive(Debug)]
pub(super) struct AdapterTape {
    /// `A x`, `[t, r]`.
    x_tr: Vec<f32>,
    /// Where the dropout mask of the input starts, when there is one.
    dropout: Option<DropoutState>,
}

impl AdapterTape {
    pub(super) fn bytes(&self) -> usize {
        self.x_tr.len() * 4
    }
}

impl Projection {
    /// `x [t, i] -> [t, o]`, as [`Projection::forward`] computes it.
    pub(super) fn rows_forward(
        &self,
        x_ti: &[f32],
        compute: Compute,
        adapter: bool,
        train: Option<&mut DropoutState>,
    ) -> Result<(Vec<f32>, Option<AdapterTape>)> {
        let mut y_to = self.with_weight(|w| w.forward(x_ti, compute))?;
        if let Some(bias) = &self.bias {
            with_vector(bias, |bias| add_bias(&mut y_to, bias, compute))?;
        }
        let Some(lora) = self.lora.as_ref().filter(|_| adapter) else { return Ok((y_to, None)) };
        let dropout = train.filter(|_| lora.dropout() > 0.0).map(|state| {
            let start = state.clone();
            state.skip();
            start
        });
        let dropped = dropped(x_ti, dropout.as_ref(), lora.dropout());
        let x_tr =
            with_matrix(lora.a().tensor(), |a| a.forward(dropped.as_deref().unwrap_or(x_ti), compute))?;
        let z_to = with_matrix(lora.b().tensor(), |b| b.forward(&x_tr, compute))?;
        add_scaled(&mut y_to, &z_to, lora.scale() as f32, compute);
        Ok((y_to, Some(AdapterTape { x_tr, dropout })))
    }

    /// The gradient of the input `[t, i]` from the output's `[t, o]`; gradients of what is trained are added to `gradients`.
    pub(super) fn rows_backward(
        &self,
        x_ti: &[f32],
        grad_to: &[f32],
        tape: Option<&AdapterTape>,
        compute: Compute,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let mut dx_ti = self.with_weight(|w| w.input_gradient(grad_to, compute))?;
        if let Weight::Trainable(var) = &self.weight {
            weight_gradient(grad_to, x_ti, var.dims2()?, compute, gradients.sum(var)?);
        }
        if let Some(var) = self.bias.as_ref().and_then(|bias| bias.var()) {
            column_sums(grad_to, gradients.sum(var)?);
        }
        if let (Some(lora), Some(tape)) = (&self.lora, tape) {
            add(&mut dx_ti, &lora.rows_backward(x_ti, grad_to, tape, compute, gradients)?);
        }
        Ok(dx_ti)
    }

    /// Whether a backward pass reads the input again.
    pub(super) fn needs_input(&self, adapter: bool) -> bool {
        matches!(self.weight, Weight::Trainable(_)) || (adapter && self.lora.is_some())
    }

    /// Whether products read the weight as it is held, with nothing to prepare for each of them.
    pub(super) fn is_read_in_place(&self) -> bool {
        matches!(&self.weight, Weight::Frozen(frozen) if frozen.is_read_in_place())
    }

    fn with_weight<R>(&self, f: impl FnOnce(WeightRows) -> anneal_kernels::Result<R>) -> Result<R> {
        match &self.weight {
            Weight::Trainable(var) => with_matrix(var, f),
            Weight::Frozen(frozen) => Ok(f(WeightRows::Frozen(frozen))?),
            Weight::Nf4(nf4) => Ok(f(WeightRows::Nf4(nf4))?),
        }
    }
}

impl Lora {
    fn rows_backward(
        &self,
        x_ti: &[f32],
        grad_to: &[f32],
        tape: &AdapterTape,
        compute: Compute,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let dz_to = scaled(grad_to, self.scale() as f32);
        if let Some(b) = self.b().var() {
            weight_gradient(&dz_to, &tape.x_tr, b.dims2()?, compute, gradients.sum(b)?);
        }
        let dx_tr = with_matrix(self.b().tensor(), |b| b.input_gradient(&dz_to, compute))?;
        let dropped = dropped(x_ti, tape.dropout.as_ref(), self.dropout());
        let x_ti = dropped.as_deref().unwrap_or(x_ti);
        if let Some(a) = self.a().var() {
            weight_gradient(&dx_tr, x_ti, a.dims2()?, compute, gradients.sum(a)?);
        }
        let mut dx_ti = with_matrix(self.a().tensor(), |a| a.input_gradient(&dx_tr, compute))?;
        if let Some(state) = &tape.dropout {
            let mask = state.clone().mask(dx_ti.len(), self.dropout());
            multiply(&mut dx_ti, &mask);
        }
        Ok(dx_ti)
    }
}

/// The input with dropout's mask on it, when there is one.
fn dropped(x_ti: &[f32], dropout: Option<&DropoutState>, probability: f64) -> Option<Vec<f32>> {
    let mut mask = dropout?.clone().mask(x_ti.len(), probability);
    multiply(&mut mask, x_ti);
    Some(mask)
}

fn with_matrix<R>(w_oi: &Tensor, f: impl FnOnce(WeightRows) -> anneal_kernels::Result<R>) -> Result<R> {
    let shape = w_oi.dims2()?;
    Ok(with_floats(w_oi, |w| Ok(f(WeightRows::Floats(w, shape))))??)
}
