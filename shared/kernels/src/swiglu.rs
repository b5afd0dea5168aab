//! SwiGLU (Shazeer 2020): `silu(gate) · up`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};
use rayon::prelude::*;

use crate::{
    Compute, Result, compose,
    error::refuse,
    pool::in_pool,
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// Elements a task works on.
const PART: usize = 1 << 14;

/// `silu(gate) · up`, element by element; both the activation and the product are rounded to `compute`.
pub fn swiglu(gate_ti: &Tensor, up_ti: &Tensor, compute: Compute) -> Result<Tensor> {
    if gate_ti.shape() != up_ti.shape() {
        return refuse("swiglu", format!("gate is {:?}, up {:?}", gate_ti.dims(), up_ti.dims()));
    }
    if !on_cpu(gate_ti) {
        return compose::swiglu(gate_ti, up_ti, compute);
    }
    Ok(gate_ti.contiguous()?.apply_op2(&up_ti.contiguous()?, SwiGlu(compute))?)
}

struct SwiGlu(Compute);

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (gate, up) = (floats(gate, gate_layout)?, floats(up, up_layout)?);
        let mut y = vec![0.0; gate.len()];
        in_pool(|| {
            y.par_chunks_mut(PART).zip(gate.par_chunks(PART)).zip(up.par_chunks(PART)).for_each(
                |((y, gate), up)| {
                    for n in 0..y.len() {
                        y[n] = self.0.round(self.0.round(gate[n] * sigmoid(gate[n])) * up[n]);
                    }
                },
            );
        });
        Ok(stored(y, gate_layout.shape()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let (dgate, dup) = with_floats(gate, |gate| {
            with_floats(up, |up| with_floats(grad, |grad| Ok(in_pool(|| self.gradients(gate, up, grad)))))
        })?;
        Ok((Some(tensor(dgate, gate.shape())?), Some(tensor(dup, up.shape())?)))
    }
}

impl SwiGlu {
    fn gradients(&self, gate: &[f32], up: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut dgate, mut dup) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
        let parts = dgate.par_chunks_mut(PART).zip(dup.par_chunks_mut(PART)).enumerate();
        parts.for_each(|(part, (dgate, dup))| {
            let from = part * PART;
            for n in 0..dgate.len() {
                let (x, u, g) = (gate[from + n], up[from + n], self.0.round(grad[from + n]));
                let s = sigmoid(x);
                dup[n] = self.0.round(g * self.0.round(x * s));
                dgate[n] = self.0.round(self.0.round(g * u) * s * (1.0 + x * (1.0 - s)));
            }
        });
        (dgate, dup)
    }
}
