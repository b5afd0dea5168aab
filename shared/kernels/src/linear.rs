//! `y = x · wᵀ` with a trainable f32 weight.

use candle_core::{CpuStorage, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};

use crate::{
    Compute, Result, compose,
    error::refuse,
    gemm::{Matrix, Product, Strided},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// `x_ti · w_oiᵀ -> [t, o]`, inputs and output rounded to `compute`, sums in f32; gradients for both.
///
/// The gradient of the output is rounded to `compute` before it is used and the gradient of `x` after; the gradient of
/// the weight stays f32.
pub fn linear(x_ti: &Tensor, w_oi: &Tensor, compute: Compute) -> Result<Tensor> {
    let ((_, i), (_, wi)) = (x_ti.dims2()?, w_oi.dims2()?);
    if i != wi {
        return refuse("linear", format!("x has {i} columns, the weight {wi}"));
    }
    if !on_cpu(x_ti) {
        return compose::linear(x_ti, w_oi, compute);
    }
    Ok(x_ti.contiguous()?.apply_op2(&w_oi.contiguous()?, Linear { compute })?)
}

struct Linear {
    compute: Compute,
}

impl Linear {
    fn product(&self, a: Matrix, b: Matrix, round: Compute) -> Vec<f32> {
        let b = Strided { matrix: b, round: self.compute };
        Product { a, a_round: self.compute, b: &b, round }.compute()
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let ((t, i), (o, _)) = (x_layout.shape().dims2()?, w_layout.shape().dims2()?);
        let w_oi = Matrix::new(floats(w, w_layout)?, o, i);
        let x_ti = Matrix::new(floats(x, x_layout)?, t, i);
        Ok(stored(self.product(x_ti, w_oi.t(), self.compute), (t, o)))
    }

    fn bwd(
        &self,
        x_ti: &Tensor,
        w_oi: &Tensor,
        _y: &Tensor,
        grad_to: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let ((t, i), (o, _)) = (x_ti.dims2()?, w_oi.dims2()?);
        with_floats(grad_to, |grad| {
            let grad = Matrix::new(grad, t, o);
            let dx = if x_ti.track_op() {
                let dx_ti =
                    with_floats(w_oi, |w| Ok(self.product(grad, Matrix::new(w, o, i), self.compute)))?;
                Some(tensor(dx_ti, (t, i))?)
            } else {
                None
            };
            let dw = if w_oi.track_op() {
                let dw_oi =
                    with_floats(x_ti, |x| Ok(self.product(grad.t(), Matrix::new(x, t, i), Compute::F32)))?;
                Some(tensor(dw_oi, (o, i))?)
            } else {
                None
            };
            Ok((dx, dw))
        })
    }
}
