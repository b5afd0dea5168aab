//! The same operations composed of candle's own, for devices without a kernel here and as the reference of the tests.

use std::ops::Range;

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
    let attend_to_itself = |range: Range<usize>| {
        let part = |x: &Tensor| x.narrow(0, range.start, range.len());
        attend(&part(q_thc)?, &part(k_tkc)?, &part(v_tkc)?, scale)
    };
    let outputs = segments.iter().map(attend_to_itself).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&outputs, 0)?)
}

/// One sequence's last `n` queries `[n, h, c]` over its keys and values `[m, k, c]`.
pub(crate) fn attend(q_nhc: &Tensor, k_mkc: &Tensor, v_mkc: &Tensor, scale: f64) -> Result<Tensor> {
    let ((n, h, c), (m, k, _)) = (q_nhc.dims3()?, k_mkc.dims3()?);
    let group = h / k;
    let shared = |x: &Tensor| -> candle_core::Result<Tensor> {
        let x = x.transpose(0, 1)?.contiguous()?;
        x.unsqueeze(1)?.expand((k, group, m, c))?.contiguous()?.reshape((h, m, c))
    };
    let (q, k, v) = (q_nhc.transpose(0, 1)?.contiguous()?, shared(k_mkc)?, shared(v_mkc)?);
    let hidden = |at: usize| at % m > at / m + (m - n);
    let mask: Vec<f32> = (0..n * m).map(|at| if hidden(at) { f32::NEG_INFINITY } else { 0.0 }).collect();
    let mask = Tensor::from_vec(mask, (n, m), q.device())?.to_dtype(q.dtype())?;
    let scores = (q.matmul(&k.t()?)? * scale)?.broadcast_add(&mask)?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let weights = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?;
    Ok(weights.matmul(&v)?.transpose(0, 1)?.contiguous()?)
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
    log_probs_of(&linear(h_td, w_vd, compute)?, targets_t)
}

/// The same of logits `[t, v]`.
pub(crate) fn log_probs_of(logits_tv: &Tensor, targets_t: &[u32]) -> Result<Tensor> {
    let shifted = logits_tv.broadcast_sub(&logits_tv.max_keepdim(D::Minus1)?.detach())?;
    let lse = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let ids: Vec<u32> = targets_t.iter().map(|&t| if t == IGNORE { 0 } else { t }).collect();
    let kept: Vec<f32> = targets_t.iter().map(|&t| if t == IGNORE { 0.0 } else { 1.0 }).collect();
    let ids = Tensor::new(ids, logits_tv.device())?.unsqueeze(1)?;
    let kept = Tensor::new(kept, logits_tv.device())?.to_dtype(logits_tv.dtype())?;
    let picked = (shifted.gather(&ids, 1)? - lse)?.squeeze(1)?;
    Ok((picked * kept)?)
}

/// How many targets have the highest logit of their row.
pub(crate) fn correct(logits_tv: &Tensor, targets_t: &[u32]) -> Result<usize> {
    let best: Vec<u32> = logits_tv.detach().argmax(D::Minus1)?.to_vec1()?;
    Ok(targets_t.iter().zip(&best).filter(|(target, best)| target == best).count())
}
