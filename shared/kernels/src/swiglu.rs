//! SwiGLU (Shazeer 2020): `silu(gate) · up`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};
use rayon::prelude::*;

use crate::{
    Compute, Result, compose,
    compute::round_bf16,
    error::refuse,
    exponential::sigmoid,
    isa::vectorized,
    pool::in_pool,
    rows::{filled, zeros},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// Elements a task works on.
const PART: usize = 1 << 12;

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

vectorized! {
    fn forward_part(y: &mut [f32], gate: &[f32], up: &[f32], compute: Compute) {
        for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
            *y = gate * sigmoid(gate);
            if compute == Compute::Bf16 {
                *y = round_bf16(*y);
            }
            if compute != Compute::F16 {
                *y *= up;
            }
        }
    }
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
        Ok(stored(swiglu_rows(gate, up, self.0), gate_layout.shape()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let (dgate, dup) = with_floats(gate, |gate| {
            with_floats(up, |up| with_floats(grad, |grad| Ok(swiglu_gradients(gate, up, grad, self.0))))
        })?;
        Ok((Some(tensor(dgate, gate.shape())?), Some(tensor(dup, up.shape())?)))
    }
}

/// [`swiglu`] of rows of any length.
pub fn swiglu_rows(gate: &[f32], up: &[f32], compute: Compute) -> Vec<f32> {
    filled(gate.len(), PART, |from, y| {
        let (gate, up) = (&gate[from..], &up[from..from + y.len()]);
        forward_part(y, gate, up, compute);
        if compute == Compute::F16 {
            compute.round_slice(y);
            y.iter_mut().zip(up).for_each(|(y, up)| *y *= up);
        }
        compute.round_slice(y);
    })
}

/// Gradients of the gate and of the other factor.
pub fn swiglu_gradients(gate: &[f32], up: &[f32], grad: &[f32], compute: Compute) -> (Vec<f32>, Vec<f32>) {
    let (mut dgate, mut dup) = (zeros(gate.len()), zeros(gate.len()));
    in_pool(|| {
        let parts = dgate.par_chunks_mut(PART).zip(dup.par_chunks_mut(PART)).enumerate();
        parts.for_each(|(part, (dgate, dup))| {
            let from = part * PART;
            let to = from + dgate.len();
            let (gate, up, grad) = (&gate[from..to], &up[from..to], &grad[from..to]);
            match compute {
                Compute::F32 => gradients_part::<32>(dgate, dup, gate, up, grad),
                Compute::Bf16 => gradients_part::<16>(dgate, dup, gate, up, grad),
                Compute::F16 => gradients_part::<5>(dgate, dup, gate, up, grad),
            }
        });
    });
    (dgate, dup)
}

vectorized! {
    /// `FORMAT`: 32 for f32, 16 for bf16, 5 for f16.
    fn gradients_part<const FORMAT: u8>(dgate: &mut [f32], dup: &mut [f32], gate: &[f32], up: &[f32], grad: &[f32]) {
        let round = |x: f32| match FORMAT {
            32 => x,
            16 => round_bf16(x),
            _ => Compute::F16.round(x),
        };
        let gradients = dgate.iter_mut().zip(dup);
        for ((dgate, dup), ((&x, &u), &g)) in gradients.zip(gate.iter().zip(up).zip(grad)) {
            let (g, s) = (round(g), sigmoid(x));
            *dup = round(g * round(x * s));
            *dgate = round(round(g * u) * s * (1.0 + x * (1.0 - s)));
        }
    }
}
