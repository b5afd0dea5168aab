//! Rotary position embedding over halves, the Hugging Face layout (Su et al. 2021; `rotate_half` of transformers).

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor};
use rayon::prelude::*;

use crate::{
    Result, compose,
    error::refuse,
    pool::in_pool,
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// Rotates each pair `(x[n], x[n + c/2])` of every head of token `t` by the angle whose cosine and sine are given; gradient
/// for `x`.
pub fn rope(x_thc: &Tensor, cos_tc2: &Tensor, sin_tc2: &Tensor) -> Result<Tensor> {
    let (t, _, c) = x_thc.dims3()?;
    if c % 2 != 0 || cos_tc2.dims() != [t, c / 2] || sin_tc2.dims() != [t, c / 2] {
        let dims = (x_thc.dims(), cos_tc2.dims(), sin_tc2.dims());
        return refuse("rope", format!("x, cos and sin are {dims:?}; cos and sin must be [t, c/2]"));
    }
    if !on_cpu(x_thc) {
        return compose::rope(x_thc, cos_tc2, sin_tc2);
    }
    let (cos, sin) = (cos_tc2.contiguous()?.detach(), sin_tc2.contiguous()?.detach());
    Ok(x_thc.contiguous()?.apply_op3(&cos, &sin, Rope)?)
}

struct Rope;

impl CustomOp3 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        cos: &CpuStorage,
        cos_layout: &Layout,
        sin: &CpuStorage,
        sin_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (_, h, c) = x_layout.shape().dims3()?;
        let mut y = floats(x, x_layout)?.to_vec();
        rope_rows(&mut y, floats(cos, cos_layout)?, floats(sin, sin_layout)?, (h, c), Direction::Forward);
        Ok(stored(y, x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, h, c) = x.dims3()?;
        let mut dx = with_floats(grad, |grad| Ok(grad.to_vec()))?;
        with_floats(cos, |cos| {
            with_floats(sin, |sin| {
                rope_rows(&mut dx, cos, sin, (h, c), Direction::Back);
                Ok(())
            })
        })?;
        Ok((Some(tensor(dx, x.shape())?), None, None))
    }
}

/// Which way to rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// By the angle.
    Forward,
    /// Back again: the gradient.
    Back,
}

/// Rotates every head of `x` `[t, h, c]` in place; `cos` and `sin` are `[t, c/2]`.
pub fn rope_rows(x: &mut [f32], cos: &[f32], sin: &[f32], (h, c): (usize, usize), direction: Direction) {
    let half = c / 2;
    let sign = if direction == Direction::Forward { 1.0 } else { -1.0 };
    in_pool(|| {
        x.par_chunks_mut(h * c).enumerate().with_min_len(16).for_each(|(t, x)| {
            let (cos, sin) = (&cos[t * half..(t + 1) * half], &sin[t * half..(t + 1) * half]);
            for x in x.chunks_mut(c) {
                let (low, high) = x.split_at_mut(half);
                for n in 0..half {
                    let (a, b, sin) = (low[n], high[n], sign * sin[n]);
                    low[n] = a * cos[n] - b * sin;
                    high[n] = b * cos[n] + a * sin;
                }
            }
        });
    });
}
