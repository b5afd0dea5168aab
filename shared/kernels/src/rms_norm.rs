//! RMSNorm (Zhang and Sennrich 2019): `y = w · x / sqrt(mean(x²) + eps)`, in f32.

use candle_core::{CpuStorage, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};
use rayon::prelude::*;

use crate::{
    Result, compose,
    error::refuse,
    pool::in_pool,
    rows::{filled, zeros},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// Rows of one partial sum of the weight gradient; fixed, so that the order of the sum is.
const ROWS: usize = 32;

/// Normalises the last dimension of `x` (any rank); gradients for `x` and the weight.
pub fn rms_norm(x_td: &Tensor, weight_d: &Tensor, eps: f64) -> Result<Tensor> {
    let d = weight_d.dims1()?;
    if x_td.dims().last() != Some(&d) || d == 0 {
        return refuse("rms_norm", format!("x is {:?}, the weight [{d}]", x_td.dims()));
    }
    if !on_cpu(x_td) {
        return compose::rms_norm(x_td, weight_d, eps);
    }
    Ok(x_td.contiguous()?.apply_op2(&weight_d.contiguous()?, RmsNorm { eps })?)
}

/// Normalises every row of `x` to the weight's length.
pub fn rms_norm_rows(x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let (d, eps) = (weight.len(), eps as f32);
    filled(x.len(), d * ROWS, |from, y| {
        for (y, x) in y.chunks_mut(d).zip(x[from..].chunks(d)) {
            let scale = inverse_norm(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                *y = (x * scale) * w;
            }
        }
    })
}

/// Gradients of `x` and of the weight: `dx = s (w g - x s² mean(w g x))` and `dw = sum_t g x s`, the latter over blocks of rows in
/// order.
pub fn rms_norm_gradients(x: &[f32], weight: &[f32], grad: &[f32], eps: f64) -> (Vec<f32>, Vec<f32>) {
    in_pool(|| gradients(x, weight, grad, eps as f32))
}

fn inverse_norm(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + eps).sqrt()
}

struct RmsNorm {
    eps: f64,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout)?, floats(w, w_layout)?);
        Ok(stored(rms_norm_rows(x, w, self.eps), x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let d = w.elem_count();
        let (dx, dw) = with_floats(x, |x| {
            with_floats(w, |w| with_floats(grad, |grad| Ok(rms_norm_gradients(x, w, grad, self.eps))))
        })?;
        let dw = if w_is_trained(w) { Some(tensor(dw, d)?) } else { None };
        Ok((Some(tensor(dx, x.shape())?), dw))
    }
}

fn w_is_trained(w: &Tensor) -> bool {
    w.track_op()
}

fn gradients(x: &[f32], w: &[f32], grad: &[f32], eps: f32) -> (Vec<f32>, Vec<f32>) {
    let d = w.len();
    let mut dx = zeros(x.len());
    let partials: Vec<Vec<f32>> = dx
        .par_chunks_mut(d * ROWS)
        .zip(x.par_chunks(d * ROWS))
        .zip(grad.par_chunks(d * ROWS))
        .map(|((dx, x), grad)| {
            let mut dw = vec![0.0; d];
            let mut weighted = vec![0.0; d];
            for ((dx, x), grad) in dx.chunks_mut(d).zip(x.chunks(d)).zip(grad.chunks(d)) {
                let scale = inverse_norm(x, eps);
                for n in 0..d {
                    weighted[n] = grad[n] * w[n];
                    dw[n] += grad[n] * (x[n] * scale);
                }
                let slope = dot(&weighted, x) / d as f32 * scale * scale;
                for n in 0..d {
                    dx[n] = scale * (weighted[n] - x[n] * slope);
                }
            }
            dw
        })
        .collect();
    let mut dw = vec![0.0; d];
    for partial in &partials {
        dw.iter_mut().zip(partial).for_each(|(sum, p)| *sum += p);
    }
    (dx, dw)
}

/// A dot product in 16 fixed lanes.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for n in 0..16 {
            lanes[n] += a[n] * b[n];
        }
    }
    for (n, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[n] += a * b;
    }
    for width in [8, 4, 2, 1] {
        for n in 0..width {
            lanes[n] += lanes[n + width];
        }
    }
    lanes[0]
}
