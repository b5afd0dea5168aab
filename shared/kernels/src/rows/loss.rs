//! Cross-entropy over the output matrix: losses and gradients without logits for more than a few tokens at a time.

pub use crate::cross_entropy::{TokenLosses, TokenWeights};
pub use crate::log_softmax::LogSoftmax;
pub use crate::scores::{Asked, Scored};
use crate::{
    Compute, FrozenLinear, Result,
    cross_entropy::Pass,
    gemm::{Matrix, PackedWeight, Panels, TransposedPanels},
    scores::score,
};

/// The output matrix `[v, d]`.
#[derive(Clone, Copy, Debug)]
pub enum OutputMatrix<'a> {
    /// Row-major f32, with `(v, d)`.
    Trained(&'a [f32], (usize, usize)),
    /// Never trained.
    Frozen(&'a FrozenLinear),
}

impl OutputMatrix<'_> {
    /// Log-probabilities of ids after hidden states `[n, d]`; the ids are in the order of their rows.
    pub fn score(&self, h_nd: &[f32], asked: &[Asked], compute: Compute) -> Result<Vec<Scored>> {
        self.with_panels(compute, |ahead, _| {
            let d = ahead.k();
            score(Matrix::new(h_nd, h_nd.len() / d, d), ahead, asked, compute)
        })
    }

    /// `log p` of each target ([`crate::IGNORE`] for none) after hidden states `[t, d]`.
    pub fn losses(&self, h_td: &[f32], targets: &[u32], compute: Compute) -> Result<TokenLosses> {
        self.with_panels(compute, |ahead, back| Pass { h: h_td, ahead, back, targets, compute }.losses())
    }

    /// The losses and the gradient `[t, d]` of the hidden states; the matrix's own is added to `dw` where there is one.
    pub fn gradients(
        &self,
        h_td: &[f32],
        targets: &[u32],
        weights: TokenWeights,
        compute: Compute,
        dw: Option<&mut [f32]>,
    ) -> Result<(TokenLosses, Vec<f32>)> {
        self.with_panels(compute, |ahead, back| {
            Pass { h: h_td, ahead, back, targets, compute }.gradients(weights, true, dw)
        })
    }

    fn with_panels<R>(&self, compute: Compute, f: impl FnOnce(&dyn Panels, &dyn Panels) -> R) -> Result<R> {
        match self {
            Self::Trained(w, (v, d)) => {
                let packed = PackedWeight::new(Matrix::new(w, *v, *d), compute);
                Ok(f(&packed, &TransposedPanels(&packed)))
            }
            Self::Frozen(weight) => weight.with_panels(f),
        }
    }
}
