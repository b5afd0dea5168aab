//! Causal attention with grouped key/value heads over sequences of any lengths; the score matrix is never written.

mod cached;
mod rows;

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor};

pub use cached::{KvView, attention_cached, attention_cached_as};

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
        scale: scale as f32,
        compute,
        heads: rows::Heads { h, k, c },
        log_sums: OnceLock::new(),
    };
    Ok(q_thc.contiguous()?.apply_op3(&k_tkc.contiguous()?, &v_tkc.contiguous()?, op)?)
}

struct Attention {
    segments: Segments,
    scale: f32,
    compute: Compute,
    heads: rows::Heads,
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
        let (q, k, v) = (self.rounded(q), self.rounded(k), self.rounded(v));
        let sequences: Vec<rows::Sequence> = self
            .segments
            .iter()
            .map(|range| {
                let kv = range.start * self.heads.k * self.heads.c..range.end * self.heads.k * self.heads.c;
                let q =
                    &q[range.start * self.heads.h * self.heads.c..range.end * self.heads.h * self.heads.c];
                rows::Sequence { q, k: &k[kv.clone()], v: &v[kv] }
            })
            .collect();
        let (mut y, log_sums) = rows::forward(&sequences, self.heads, self.scale);
        self.compute.round_slice(&mut y);
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
        let (dq, dk, dv) = with_floats(q, |q| {
            with_floats(k, |k| {
                with_floats(v, |v| {
                    with_floats(y, |y| with_floats(grad, |grad| Ok(self.gradients(q, k, v, y, grad))))
                })
            })
        })?;
        Ok((Some(tensor(dq, q.shape())?), Some(tensor(dk, k.shape())?), Some(tensor(dv, v.shape())?)))
    }
}

impl Attention {
    fn rounded(&self, x: &[f32]) -> Vec<f32> {
        let mut x = x.to_vec();
        self.compute.round_slice(&mut x);
        x
    }

    fn gradients(
        &self,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        y: &[f32],
        grad: &[f32],
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (q, k, v, grad) = (self.rounded(q), self.rounded(k), self.rounded(v), self.rounded(grad));
        let log_sums = self.log_sums.get().expect("the forward pass set it");
        let saved = rows::Saved { q: &q, k: &k, v: &v, y, grad: &grad, log_sums };
        let (mut dq, mut dk, mut dv) = rows::backward(&saved, &self.segments, self.heads, self.scale);
        for d in [&mut dq, &mut dk, &mut dv] {
            self.compute.round_slice(d);
        }
        (dq, dk, dv)
    }
}
