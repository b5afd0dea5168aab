//! One decoder layer: attention and feed-forward, each behind an RMSNorm and around a residual.

use anneal_kernels::{Compute, Segments, rms_norm, rope, swiglu};
use candle_core::Tensor;

use super::dropout::DropoutState;
use super::linear::Linear;
use super::projection::{Projection, Vector};
use crate::config::ModelConfig;
use crate::error::Result;

/// What every layer of one forward pass shares.
#[derive(Debug, Clone)]
pub struct Pass {
    pub(super) segments: Segments,
    pub(super) cos_tc2: Tensor,
    pub(super) sin_tc2: Tensor,
    pub(super) adapter: bool,
}

/// Weights of a layer.
#[derive(Debug)]
pub struct Layer {
    /// Before attention.
    pub input_norm: Vector,
    /// Before the feed-forward part.
    pub post_attention_norm: Vector,
    /// On every head of the queries (Qwen3).
    pub query_norm: Option<Vector>,
    /// On every head of the keys (Qwen3).
    pub key_norm: Option<Vector>,
    /// The seven linears, in the order of [`Linear::ALL`].
    pub linears: [Projection; 7],
    pub(super) rotated: bool,
}

/// Sizes and precision a layer needs from its model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) eps: f64,
    pub(super) compute: Compute,
}

impl Sizes {
    pub(super) fn new(config: &ModelConfig, compute: Compute) -> Self {
        Self {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            eps: config.rms_norm_eps,
            compute,
        }
    }

    pub(super) fn scale(self) -> f64 {
        1.0 / (self.head_dim as f64).sqrt()
    }
}

/// Rotated queries and keys, and values, `[t, heads, c]` each.
pub(super) struct Heads {
    pub(super) q_thc: Tensor,
    pub(super) k_tkc: Tensor,
    pub(super) v_tkc: Tensor,
}

impl Layer {
    /// A linear.
    pub fn linear(&self, which: Linear) -> &Projection {
        &self.linears[which as usize]
    }

    fn project(
        &self,
        which: Linear,
        x: &Tensor,
        sizes: Sizes,
        pass: &Pass,
        train: &mut Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        self.linear(which).forward(x, sizes.compute, pass.adapter, train.as_deref_mut())
    }

    pub(super) fn heads(
        &self,
        x_td: &Tensor,
        sizes: Sizes,
        pass: &Pass,
        train: &mut Option<&mut DropoutState>,
    ) -> Result<Heads> {
        let x_td = rms_norm(x_td, self.input_norm.tensor(), sizes.eps)?;
        let tokens = x_td.dim(0)?;
        let mut part = |which, heads| -> Result<Tensor> {
            Ok(self.project(which, &x_td, sizes, pass, train)?.reshape((tokens, heads, sizes.head_dim))?)
        };
        let mut q_thc = part(Linear::Query, sizes.heads)?;
        let mut k_tkc = part(Linear::Key, sizes.kv_heads)?;
        let v_tkc = part(Linear::Value, sizes.kv_heads)?;
        if let Some(norm) = &self.query_norm {
            q_thc = norm_heads(&q_thc, norm, sizes)?;
        }
        if let Some(norm) = &self.key_norm {
            k_tkc = norm_heads(&k_tkc, norm, sizes)?;
        }
        if self.rotated {
            q_thc = rope(&q_thc, &pass.cos_tc2, &pass.sin_tc2)?;
            k_tkc = rope(&k_tkc, &pass.cos_tc2, &pass.sin_tc2)?;
        }
        Ok(Heads { q_thc, k_tkc, v_tkc })
    }

    /// The rest of the layer once attention has given `attended_thc`.
    pub(super) fn finish(
        &self,
        x_td: &Tensor,
        attended_thc: &Tensor,
        sizes: Sizes,
        pass: &Pass,
        train: &mut Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        let tokens = x_td.dim(0)?;
        let attended = attended_thc.reshape((tokens, sizes.heads * sizes.head_dim))?;
        let x_td = (x_td + self.project(Linear::Output, &attended, sizes, pass, train)?)?;
        let inner = rms_norm(&x_td, self.post_attention_norm.tensor(), sizes.eps)?;
        let gate = self.project(Linear::Gate, &inner, sizes, pass, train)?;
        let up = self.project(Linear::Up, &inner, sizes, pass, train)?;
        let mixed = swiglu(&gate, &up, sizes.compute)?;
        Ok((x_td + self.project(Linear::Down, &mixed, sizes, pass, train)?)?)
    }
}

fn norm_heads(x_thc: &Tensor, norm: &Vector, sizes: Sizes) -> Result<Tensor> {
    let (tokens, heads, width) = x_thc.dims3()?;
    let flat = rms_norm(&x_thc.reshape((tokens * heads, width))?, norm.tensor(), sizes.eps)?;
    Ok(flat.reshape((tokens, heads, width))?)
}
