//! Rounding a tensor to the compute format, as autocast does at the entry of an operation.

use candle_core::{CpuStorage, CustomOp1, Layout, Result as CandleResult, Shape, Tensor};

use crate::{
    Compute, Result, compose, pool,
    slices::{floats, on_cpu, stored},
};

/// `x` rounded to `compute`, still f32; the gradient passes unchanged.
pub fn round_to(x: &Tensor, compute: Compute) -> Result<Tensor> {
    if compute == Compute::F32 {
        return Ok(x.clone());
    }
    if !on_cpu(x) {
        return compose::round_to(x, compute);
    }
    Ok(x.contiguous()?.apply_op1(Round(compute))?)
}

struct Round(Compute);

impl CustomOp1 for Round {
    fn name(&self) -> &'static str {
        "round"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let mut y = floats(x, layout)?.to_vec();
        pool::parts(y.len() > 1 << 16, &mut y, 1 << 14, |_, part| self.0.round_slice(part));
        Ok(stored(y, layout.shape()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}
