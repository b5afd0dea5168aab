//! The same operations composed of candle's own, for devices without a kernel here and as the reference of the tests.

use candle_core::{D, DType, Tensor};

use crate::{Compute, IGNORE, Result, Segments};

/// `x` rounded to `compute`, as f32.
pub(crate) fn round_to(x: &Tensor, compute: Compute) -> Result<Tensor> {
    Ok(match compute {
        Compute::F32 => x.clone(),
        _ => x.to_dtype(compute.dtype())?.to_dtype(DType::F32)?,
    })
}

/// `x · wᵀ` in the compute dtype.
pub(crate) fn linear(x_ti: &Tensor, w_oi: &Tensor, compute: Compute) -> Result<Tensor> {
    if compute == Compute::F32 {
        return Ok(x_ti.matmul(&w_oi.t()?)?);
    }
    let dtype = compute.dtype();
    Ok(x_ti.to_dtype(dtype)?.matmul(&w_oi.to_dtype(dtype)?.t()?)?.to_dtype(DType::F32)?)
}

/// Root-mean-square normalisation over the last dimension.
pub(crate) fn rms_norm(x_td: &Tensor, weight_d: &Tensor, eps: f64) -> Result<Tensor> {
    let scale = (x_td.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
    Ok(x_td.broadcast_mul(&scale)?.broadcast_mul(weight_d)?)
}

/// Rotary embedding over halves.
pub(crate) fn rope(x_thc: &Tensor, cos_tc2: &Tensor, sin_tc2: &Tensor) -> Result<Tensor> {
    let half = x_thc.dim(2)? / 2;
    let (low, high) = (x_thc.narrow(2, 0, half)?, x_thc.narrow(2, half, half)?);
    let (cos, sin) = (cos_tc2.unsqueeze(1)?, sin_tc2.unsqueeze(1)?);
    let first = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let second = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[first, second], 2)?)
}

/// Causal grouped attention inside each segment.
pub(crate) fn attention(
    q_thc: &Tensor,
    k_tkc: &Tensor,
    v_tkc: &Tensor,
    segments: &Segments,
    scale: f64,
) -> Result<Tensor> {
    let group = q_thc.dim(1)? / k_tkc.dim(1)?;
    let mut outputs = Vec::with_capacity(segments.count());
    for range in segments.iter() {
        let n = range.len();
        let part = |x: &Tensor| x.narrow(0, range.start, n)?.transpose(0, 1)?.contiguous();
        let shared = |x: &Tensor| -> candle_core::Result<Tensor> {
            let x = part(x)?;
            let (k, n, c) = x.dims3()?;
            x.unsqueeze(1)?.expand((k, group, n, c))?.contiguous()?.reshape((k * group, n, c))
        };
        let (q, k, v) = (part(q_thc)?, shared(k_tkc)?, shared(v_tkc)?);
        let mask: Vec<f32> =
            (0..n * n).map(|at| if at % n > at / n { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (n, n), q_thc.device())?.to_dtype(q_thc.dtype())?;
        let scores = (q.matmul(&k.t()?)? * scale)?.broadcast_add(&mask)?;
        let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?;
        outputs.push(weights.matmul(&v)?.transpose(0, 1)?.contiguous()?);
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

/// `silu(gate) · up`, both products rounded.
pub(crate) fn swiglu(gate_ti: &Tensor, up_ti: &Tensor, compute: Compute) -> Result<Tensor> {
    let round = |x: &Tensor| round_to(x, compute);
    let silu = round(&(gate_ti * ((gate_ti.neg()?.exp()? + 1.0)?.recip()?))?)?;
    round(&(silu * up_ti)?)
}

/// Rows of `w` by id.
pub(crate) fn embedding(w_vd: &Tensor, ids: &[u32]) -> Result<Tensor> {
    Ok(w_vd.index_select(&Tensor::new(ids, w_vd.device())?, 0)?)
}

/// The log-probability of each target, 0 where it is ignored; holds all logits.
pub(crate) fn linear_log_probs(
    h_td: &Tensor,
    w_vd: &Tensor,
    targets_t: &[u32],
    compute: Compute,
) -> Result<Tensor> {
    let logits_tv = linear(h_td, w_vd, compute)?;
    let shifted = logits_tv.broadcast_sub(&logits_tv.max_keepdim(D::Minus1)?.detach())?;
    let lse = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let ids: Vec<u32> = targets_t.iter().map(|&t| if t == IGNORE { 0 } else { t }).collect();
    let kept: Vec<f32> = targets_t.iter().map(|&t| if t == IGNORE { 0.0 } else { 1.0 }).collect();
    let ids = Tensor::new(ids, h_td.device())?.unsqueeze(1)?;
    let kept = Tensor::new(kept, h_td.device())?.to_dtype(logits_tv.dtype())?;
    let picked = (shifted.gather(&ids, 1)? - lse)?.squeeze(1)?;
    Ok((picked * kept)?)
}
