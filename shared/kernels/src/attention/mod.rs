//! Causal attention with grouped key/value heads over sequences of any lengths; the score matrix is never written.

mod backward;
mod cached;
mod forward;
mod held;
mod softmax;

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor};

pub(crate) use backward::{Gradients, Saved, backward};
#[cfg(test)]
pub(crate) use cached::composed as cached_composed;
pub use cached::{KvView, attention_cached, attention_cached_as};
pub(crate) use forward::{Heads, Numerics, Sequence, forward, hold};
pub use held::KeyValues;

use crate::{
    Compute, Result, Segments, compose,
    error::refuse,
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// `softmax(scale · q · kᵀ) · v` for every head, each token over the tokens of its own segment up to itself; `h` is a multiple
/// of `k`, query head `n` reads key head `n / (h / k)`. Output `[t, h, c]`; gradients for all three.
pub fn attention(
    q_thc: &Tensor,
    k_tkc: &Tensor,
    v_tkc: &Tensor,
    segments: &Segments,
    scale: f64,
) -> Result<Tensor> {
    attention_as(q_thc, k_tkc, v_tkc, segments, scale, Compute::F32)
}

/// [`attention`] with its inputs and output rounded to `compute` (scores, softmax and sums stay f32).
pub fn attention_as(
    q_thc: &Tensor,
    k_tkc: &Tensor,
    v_tkc: &Tensor,
    segments: &Segments,
    scale: f64,
    compute: Compute,
) -> Result<Tensor> {
    let (t, h, c) = q_thc.dims3()?;
    let (kt, k, kc) = k_tkc.dims3()?;
    if kt != t || kc != c || v_tkc.dims() != k_tkc.dims() || k == 0 || h % k != 0 || c == 0 {
        let dims = (q_thc.dims(), k_tkc.dims(), v_tkc.dims());
        return refuse(
            "attention",
            format!("q, k and v are {dims:?}; they must be [t, h, c], [t, k, c], [t, k, c]"),
        );
    }
    if segments.total() != t {
        return refuse("attention", format!("the segments hold {} tokens, q {t}", segments.total()));
    }
    if !on_cpu(q_thc) {
        let round = |x: &Tensor| compose::round_to(x, compute);
        let y = compose::attention(&round(q_thc)?, &round(k_tkc)?, &round(v_tkc)?, segments, scale)?;
        return round(&y);
    }
    let op = Attention {
        segments: segments.clone(),
        numerics: Numerics { scale: scale as f32, compute },
        heads: Heads { h, k, c },
        log_sums: OnceLock::new(),
    };
    Ok(q_thc.contiguous()?.apply_op3(&k_tkc.contiguous()?, &v_tkc.contiguous()?, op)?)
}

struct Attention {
    segments: Segments,
    numerics: Numerics,
    heads: Heads,
    /// Log of the softmax denominator of every `[t, h]`, kept from the forward pass.
    log_sums: OnceLock<Vec<f32>>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (q, k, v) = (floats(q, q_layout)?, floats(k, k_layout)?, floats(v, v_layout)?);
        let Heads { h, c, .. } = self.heads;
        let held = hold(k, v, &self.segments, self.heads, self.numerics.compute);
        let sequences: Vec<Sequence> = self
            .segments
            .iter()
            .zip(&held)
            .map(|(range, held)| Sequence { q: &q[range.start * h * c..range.end * h * c], held })
            .collect();
        let (y, log_sums) = forward(&sequences, self.heads, self.numerics);
        let _ = self.log_sums.set(log_sums);
        Ok(stored(y, q_layout.shape()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let log_sums = self.log_sums.get().expect("the forward pass set it");
        let Gradients { dq, dk, dv } = with_floats(q, |q| {
            with_floats(k, |k| {
                with_floats(v, |v| {
                    with_floats(y, |y| {
                        with_floats(grad, |grad| {
                            let saved = Saved { q, k, v, y, grad, log_sums };
                            Ok(backward(&saved, &self.segments, self.heads, self.numerics))
                        })
                    })
                })
            })
        })?;
        Ok((Some(tensor(dq, q.shape())?), Some(tensor(dk, k.shape())?), Some(tensor(dv, v.shape())?)))
    }
}
