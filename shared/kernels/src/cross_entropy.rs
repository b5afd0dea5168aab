//! The output product and the log-softmax in one: logits exist only for a few tokens at a time.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Result as CandleResult, Shape, Tensor};

use rayon::prelude::*;

use crate::{
    Compute, Result, compose,
    error::refuse,
    exponential::exp,
    gemm::{Matrix, PackedWeight, Panels, Product, Strided, TransposedPanels},
    isa::vectorized,
    log_softmax::LogSoftmax,
    pool::in_pool,
    scores::{Asked, score},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// A target that carries no loss.
pub const IGNORE: u32 = u32::MAX;

/// Tokens whose logits exist at the same time; fixed, because the weight gradient is summed chunk by chunk.
const CHUNK: usize = 192;

/// What a batch costs, and how each target fared.
#[derive(Debug)]
pub struct TokenLoss {
    /// The sum of `-log p` over all targets: a scalar in the graph.
    pub loss_sum: Tensor,
    /// `log p` of each target, in order; ignored positions are left out.
    pub log_probs: Vec<f32>,
    /// Targets that had the highest logit.
    pub correct: usize,
}

/// Cross-entropy of `h_td · w_vdᵀ` against `targets_t` ([`IGNORE`] for none), summed. Gradients for `h` and, when `trainable`,
/// for `w`; both are computed during the forward pass when `h` or `w` is in a graph, so `detach` them for an evaluation.
pub fn linear_cross_entropy(
    h_td: &Tensor,
    w_vd: &Tensor,
    trainable: bool,
    targets_t: &[u32],
    compute: Compute,
) -> Result<TokenLoss> {
    check("linear_cross_entropy", h_td, w_vd, targets_t)?;
    let w_vd = if trainable { w_vd.clone() } else { w_vd.detach() };
    if !on_cpu(h_td) {
        return composed(h_td, &w_vd, targets_t, compute);
    }
    let (h_td, w_vd) = (h_td.contiguous()?, w_vd.contiguous()?);
    let wanted = Wanted { h: h_td.track_op(), w: w_vd.track_op() };
    let weights = (wanted.h || wanted.w).then_some(TokenWeights::Every(1.0));
    let (outcome, gradients) = passed(&h_td, &w_vd, targets_t, compute, (weights, wanted))?;
    let kept = |&(_, &target): &(usize, &u32)| target != IGNORE;
    let log_probs: Vec<f32> =
        targets_t.iter().enumerate().filter(kept).map(|(t, _)| outcome.log_probs[t]).collect();
    let loss = -log_probs.iter().map(|&p| f64::from(p)).sum::<f64>();
    let op = LossSum {
        loss: loss as f32,
        targets: targets_t.to_vec(),
        compute,
        gradients: Mutex::new(Some(gradients)),
    };
    Ok(TokenLoss { loss_sum: h_td.apply_op2(&w_vd, op)?, log_probs, correct: outcome.correct })
}

/// `log p` of each target under `softmax(h · wᵀ)`: `[t]`, 0 at [`IGNORE`]. Differentiable; the backward pass computes the logits
/// again.
pub fn linear_log_probs(
    h_td: &Tensor,
    w_vd: &Tensor,
    trainable: bool,
    targets_t: &[u32],
    compute: Compute,
) -> Result<Tensor> {
    check("linear_log_probs", h_td, w_vd, targets_t)?;
    let w_vd = if trainable { w_vd.clone() } else { w_vd.detach() };
    if !on_cpu(h_td) {
        return compose::linear_log_probs(h_td, &w_vd, targets_t, compute);
    }
    Ok(h_td
        .contiguous()?
        .apply_op2(&w_vd.contiguous()?, LogProbs { targets: targets_t.to_vec(), compute })?)
}

/// [`linear_log_probs`] composed of candle's own operations on every device, so that gradients of both `h` and `w` come from
/// one graph that holds all logits; and how many targets have the highest one.
pub fn linear_log_probs_composed(
    h_td: &Tensor,
    w_vd: &Tensor,
    targets_t: &[u32],
    compute: Compute,
) -> Result<(Tensor, usize)> {
    check("linear_log_probs_composed", h_td, w_vd, targets_t)?;
    let logits_tv = compose::linear(h_td, w_vd, compute)?;
    Ok((compose::log_probs_of(&logits_tv, targets_t)?, compose::correct(&logits_tv, targets_t)?))
}

fn check(op: &'static str, h_td: &Tensor, w_vd: &Tensor, targets_t: &[u32]) -> Result<()> {
    let ((t, d), (v, wd)) = (h_td.dims2()?, w_vd.dims2()?);
    if d != wd || targets_t.len() != t {
        return refuse(op, format!("h is [{t}, {d}], w [{v}, {wd}], with {} targets", targets_t.len()));
    }
    if let Some(target) = targets_t.iter().find(|&&target| target != IGNORE && target as usize >= v) {
        return refuse(op, format!("target {target} is beyond the vocabulary of {v}"));
    }
    Ok(())
}

fn composed(h_td: &Tensor, w_vd: &Tensor, targets_t: &[u32], compute: Compute) -> Result<TokenLoss> {
    let (log_probs_t, correct) = linear_log_probs_composed(h_td, w_vd, targets_t, compute)?;
    let values: Vec<f32> = log_probs_t.to_vec1()?;
    let kept = targets_t.iter().zip(&values).filter(|&(&target, _)| target != IGNORE);
    Ok(TokenLoss {
        loss_sum: log_probs_t.sum_all()?.neg()?,
        log_probs: kept.map(|(_, &p)| p).collect(),
        correct,
    })
}

/// The gradient of the loss with respect to each token's `-log p`.
#[derive(Clone, Copy, Debug)]
pub enum TokenWeights<'a> {
    /// The same for every target.
    Every(f32),
    /// One a token; those of ignored tokens are not looked at.
    Each(&'a [f32]),
}

/// Which gradients a pass computes.
#[derive(Clone, Copy)]
struct Wanted {
    h: bool,
    w: bool,
}

/// One pass over the tokens of a batch.
pub(crate) struct Pass<'a> {
    pub(crate) h: &'a [f32],
    /// `wᵀ [d, v]`.
    pub(crate) ahead: &'a dyn Panels,
    /// `w [v, d]`.
    pub(crate) back: &'a dyn Panels,
    pub(crate) targets: &'a [u32],
    pub(crate) compute: Compute,
}

/// How each token fared.
#[derive(Debug)]
pub struct TokenLosses {
    /// `log p` of each token's target, 0 where ignored.
    pub log_probs: Vec<f32>,
    /// Targets that had the highest logit.
    pub correct: usize,
}

impl Pass<'_> {
    /// The tokens that have a target.
    fn kept(&self) -> Vec<usize> {
        (0..self.targets.len()).filter(|&t| self.targets[t] != IGNORE).collect()
    }

    /// Their hidden states.
    fn rows(&self, kept: &[usize]) -> Vec<f32> {
        let d = self.ahead.k();
        kept.iter().flat_map(|&t| &self.h[t * d..][..d]).copied().collect()
    }

    /// The losses.
    pub(crate) fn losses(&self) -> TokenLosses {
        let kept = self.kept();
        let asked: Vec<Asked> =
            kept.iter().enumerate().map(|(row, &t)| Asked { row, id: self.targets[t] }).collect();
        let h = self.rows(&kept);
        let scored = score(Matrix::new(&h, kept.len(), self.ahead.k()), self.ahead, &asked, self.compute);
        let mut losses = TokenLosses { log_probs: vec![0.0; self.targets.len()], correct: 0 };
        for (t, scored) in kept.into_iter().zip(scored) {
            losses.log_probs[t] = scored.log_prob;
            losses.correct += usize::from(scored.is_best);
        }
        losses
    }

    /// The losses and, with these weights, the gradient of `h` (empty unless wanted) and of `w`, which is added to `dw`.
    pub(crate) fn gradients(
        &self,
        weights: TokenWeights,
        want_h: bool,
        mut dw: Option<&mut [f32]>,
    ) -> (TokenLosses, Vec<f32>) {
        let (t, d, v) = (self.targets.len(), self.ahead.k(), self.ahead.n());
        let mut losses = TokenLosses { log_probs: vec![0.0; t], correct: 0 };
        let mut dh_td = vec![0.0; if want_h { t * d } else { 0 }];
        for rows in self.kept().chunks(CHUNK) {
            let n = rows.len();
            let h = self.rows(rows);
            let mut logits = self.product(Matrix::new(&h, n, d), self.ahead).compute();
            let fates = in_pool(|| {
                let rows = rows.par_iter().zip(logits.par_chunks_mut(v));
                rows.map(|(&t, logits)| self.row(t, logits, weights)).collect::<Vec<_>>()
            });
            for (&t, (log_prob, correct)) in rows.iter().zip(fates) {
                losses.log_probs[t] = log_prob;
                losses.correct += usize::from(correct);
            }
            let dlogits = Matrix::new(&logits, n, v);
            if want_h {
                let dh = self.product(dlogits, self.back).compute();
                for (&t, dh) in rows.iter().zip(dh.chunks(d)) {
                    dh_td[t * d..][..d].copy_from_slice(dh);
                }
            }
            if let Some(dw) = dw.as_deref_mut() {
                let right = Strided { matrix: Matrix::new(&h, n, d), round: self.compute };
                let product =
                    Product { a: dlogits.t(), a_round: self.compute, b: &right, round: Compute::F32 };
                product.add_to(dw);
            }
        }
        (losses, dh_td)
    }

    fn product<'a>(&self, a: Matrix<'a>, b: &'a dyn Panels) -> Product<'a> {
        Product { a, a_round: self.compute, b, round: self.compute }
    }

    /// One token: `log p` of its target and whether that has the highest logit (the first of equals); the logits become their
    /// gradients.
    fn row(&self, t: usize, logits: &mut [f32], weights: TokenWeights) -> (f32, bool) {
        let target = self.targets[t] as usize;
        let softmax = LogSoftmax::of(logits);
        let (log_prob, is_best) = (softmax.log_prob(logits[target]), softmax.is_best(target));
        let weight = match weights {
            TokenWeights::Every(weight) => weight,
            TokenWeights::Each(weights) => weights[t],
        };
        gradients_of_logits(logits, softmax.log_sum, weight, target);
        (log_prob, is_best)
    }
}

vectorized! {
    fn gradients_of_logits(logits: &mut [f32], log_sum: f32, weight: f32, target: usize) {
        let at_target = weight * (exp(logits[target] - log_sum) - 1.0);
        for x in logits.iter_mut() {
            *x = weight * exp(*x - log_sum);
        }
        logits[target] = at_target;
    }
}

struct LossSum {
    loss: f32,
    targets: Vec<u32>,
    compute: Compute,
    /// Gradients for an outer gradient of 1; taken by the first backward pass.
    gradients: Mutex<Option<Pair>>,
}

impl CustomOp2 for LossSum {
    fn name(&self) -> &'static str {
        "linear-cross-entropy"
    }

    fn cpu_fwd(
        &self,
        _h: &CpuStorage,
        _h_layout: &Layout,
        _w: &CpuStorage,
        _w_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        Ok(stored(vec![self.loss], ()))
    }

    fn bwd(
        &self,
        h: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.to_scalar::<f32>()?;
        let wanted = Wanted { h: h.track_op(), w: w.track_op() };
        let taken = self.gradients.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let (mut dh, mut dw) = if let Some(gradients) = taken {
            gradients
        } else {
            let weights = Some(TokenWeights::Every(1.0));
            passed(h, w, &self.targets, self.compute, (weights, wanted))?.1
        };
        for d in [&mut dh, &mut dw] {
            for d in d.iter_mut() {
                *d *= grad;
            }
        }
        gradient_pair(wanted, dh, dw, h, w)
    }
}

fn gradient_pair(
    wanted: Wanted,
    dh: Vec<f32>,
    dw: Vec<f32>,
    h: &Tensor,
    w: &Tensor,
) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
    let dh = if wanted.h { Some(tensor(dh, h.shape())?) } else { None };
    let dw = if wanted.w { Some(tensor(dw, w.shape())?) } else { None };
    Ok((dh, dw))
}

struct LogProbs {
    targets: Vec<u32>,
    compute: Compute,
}

impl CustomOp2 for LogProbs {
    fn name(&self) -> &'static str {
        "linear-log-probs"
    }

    fn cpu_fwd(
        &self,
        h: &CpuStorage,
        h_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (t, d) = h_layout.shape().dims2()?;
        let (h, w) = (floats(h, h_layout)?, floats(w, w_layout)?);
        let packed = PackedWeight::new(Matrix::new(w, w.len() / d, d), self.compute);
        let back = TransposedPanels(&packed);
        let pass = Pass { h, ahead: &packed, back: &back, targets: &self.targets, compute: self.compute };
        Ok(stored(pass.losses().log_probs, t))
    }

    fn bwd(
        &self,
        h: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let wanted = Wanted { h: h.track_op(), w: w.track_op() };
        let (_, (dh, dw)) = with_floats(grad, |grad| {
            let weights: Vec<f32> = grad.iter().map(|g| -g).collect();
            passed(h, w, &self.targets, self.compute, (Some(TokenWeights::Each(&weights)), wanted))
        })?;
        gradient_pair(wanted, dh, dw, h, w)
    }
}

/// Gradients of `h` and of `w`, each empty where it is not wanted.
type Pair = (Vec<f32>, Vec<f32>);

/// One pass over tensors: the losses, and gradients of `h` and `w` where wanted.
fn passed(
    h_td: &Tensor,
    w_vd: &Tensor,
    targets: &[u32],
    compute: Compute,
    (weights, wanted): (Option<TokenWeights>, Wanted),
) -> CandleResult<(TokenLosses, Pair)> {
    let (v, d) = w_vd.dims2()?;
    let packed = with_floats(w_vd, |w| Ok(PackedWeight::new(Matrix::new(w, v, d), compute)))?;
    let mut dw = vec![0.0; if wanted.w { v * d } else { 0 }];
    let (losses, dh) = with_floats(h_td, |h| {
        let back = TransposedPanels(&packed);
        let pass = Pass { h, ahead: &packed, back: &back, targets, compute };
        Ok(match weights {
            Some(weights) => pass.gradients(weights, wanted.h, wanted.w.then_some(&mut dw)),
            None => (pass.losses(), Vec::new()),
        })
    })?;
    Ok((losses, (dh, dw)))
}
