//! The training pass of a decoder: a forward pass that keeps what the backward pass needs, and the backward pass.
//!
//! What follows is the CPU's; other devices go through candle's graph ([`super::graph`]). On the CPU the order of the operations is
//! the decoder's own, so no graph is built: gradients of weights are added straight to their sums ([`Gradients`]), activations are
//! kept in the compute format, and norms and products of two activations are computed again instead of being kept.

mod gradients;
mod layer;
mod projection;

pub use gradients::Gradients;

use anneal_kernels::{
    Segments,
    rows::{
        Asked, AttentionRows, OutputMatrix, Scored, TokenLosses, TokenWeights, embedding_gradient,
        rms_norm_gradients, rms_norm_rows, with_floats,
    },
};
use candle_core::Tensor;

use super::dropout::DropoutState;
use super::graph::{self, GraphTape};
use super::layer::Sizes;
use super::projection::Vector;
use super::{Decoder, Layer, Pass, check_rows};
use crate::error::{Error, Result};
use layer::{LayerRows, LayerTape, Want};

/// What a forward pass keeps for the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: there will be no backward pass.
    Nothing,
    /// The input of every layer, which is run again (Chen et al. 2016).
    LayerInputs,
    /// Everything that is not cheap to compute again.
    Activations,
}

/// A forward pass as the backward pass needs it.
#[derive(Debug)]
pub struct Tape(Way);

#[derive(Debug)]
enum Way {
    Rows(RowsTape),
    Graph(GraphTape),
}

#[derive(Debug)]
struct RowsTape {
    tokens: Vec<u32>,
    shared: Shared,
    layers: Vec<Kept>,
    /// After the last layer, before the norm, `[t, d]`.
    last_td: Vec<f32>,
}

#[derive(Debug)]
enum Kept {
    Input { x_td: Vec<f32>, dropout: Option<DropoutState> },
    Activations(Box<LayerTape>),
}

/// What every layer of one pass shares.
#[derive(Debug)]
struct Shared {
    segments: Segments,
    /// `[t, c/2]` each.
    cos: Vec<f32>,
    sin: Vec<f32>,
    adapter: bool,
}

impl Shared {
    fn new(pass: Pass) -> Result<Self> {
        Ok(Self {
            cos: pass.cos_tc2.flatten_all()?.to_vec1()?,
            sin: pass.sin_tc2.flatten_all()?.to_vec1()?,
            segments: pass.segments,
            adapter: pass.adapter,
        })
    }
}

impl Decoder {
    /// Hidden states `[t, d]` after the final norm, row-major, as [`Decoder::hidden`] gives them, and the tape of the pass.
    pub fn record(
        &self,
        tokens: &[u32],
        segments: &Segments,
        train: Option<&mut DropoutState>,
        keep: Keep,
    ) -> Result<(Vec<f32>, Tape)> {
        check_rows(tokens, segments, &[])?;
        if self.device().is_cpu() {
            let (hidden_td, tape) = self.record_rows(tokens, segments, train, keep)?;
            return Ok((hidden_td, Tape(Way::Rows(tape))));
        }
        let (hidden_td, tape) = GraphTape::record(self, tokens, segments, train, keep)?;
        Ok((hidden_td, Tape(Way::Graph(tape))))
    }

    fn record_rows(
        &self,
        tokens: &[u32],
        segments: &Segments,
        mut train: Option<&mut DropoutState>,
        keep: Keep,
    ) -> Result<(Vec<f32>, RowsTape)> {
        let shared = Shared::new(self.pass(segments)?)?;
        let mut x_td = self.embedded(tokens)?;
        let mut layers = Vec::with_capacity(if keep == Keep::Nothing { 0 } else { self.layers().len() });
        for layer in self.layers() {
            let rows = self.rows(layer, &shared);
            let state = train.as_deref().cloned();
            let input = (keep == Keep::LayerInputs).then(|| x_td.clone());
            let want = if keep == Keep::Activations { Want::Tape } else { Want::Output };
            let (next_td, tape) = rows.forward(x_td, train.as_deref_mut(), want)?;
            x_td = next_td;
            layers.extend(tape.map(|tape| Kept::Activations(Box::new(tape))));
            layers.extend(input.map(|x_td| Kept::Input { x_td, dropout: state }));
        }
        let hidden_td = self.normed(&x_td)?;
        Ok((hidden_td, RowsTape { tokens: tokens.to_vec(), shared, layers, last_td: x_td }))
    }

    /// Hidden states `[n, d]` after the final norm, of some `rows` of `tokens` cut into `segments`: what [`Decoder::hidden`] has there,
    /// for less work. Not differentiable.
    pub fn hidden_at(&self, tokens: &[u32], segments: &Segments, rows: &[usize]) -> Result<Tensor> {
        check_rows(tokens, segments, rows)?;
        if !self.device().is_cpu() {
            return graph::gathered(&self.hidden(tokens, segments, None)?, rows);
        }
        self.hidden_by(tokens, self.pass(segments)?, rows, |_, attention, [q, k, v]| {
            attention.forward(q, k, v).0
        })
    }

    /// The same with an attention of the caller's: from the layer's index, queries, keys and values to its output.
    pub(super) fn hidden_by(
        &self,
        tokens: &[u32],
        pass: Pass,
        rows: &[usize],
        mut attend: impl FnMut(usize, AttentionRows<'_>, [&[f32]; 3]) -> Vec<f32>,
    ) -> Result<Tensor> {
        let shared = Shared::new(pass)?;
        let mut x_td = self.embedded(tokens)?;
        for (index, layer) in self.layers().iter().enumerate() {
            let attend = |rows: AttentionRows<'_>, qkv: [&[f32]; 3]| (attend(index, rows, qkv), Vec::new());
            let is_last = index + 1 == self.layers().len();
            let want = if is_last { Want::Rows(rows) } else { Want::Output };
            x_td = self.rows(layer, &shared).forward_by(x_td, None, want, attend)?.0;
        }
        Ok(Tensor::from_vec(self.normed(&x_td)?, (rows.len(), self.config().hidden_size), self.device())?)
    }

    fn normed(&self, x_td: &[f32]) -> Result<Vec<f32>> {
        with_vector(&self.model.norm, |w| rms_norm_rows(x_td, w, self.config().rms_norm_eps))
    }

    /// `log p` of every target ([`anneal_kernels::IGNORE`] for none) after hidden states `[t, d]`.
    pub fn token_losses(&self, hidden_td: &[f32], targets: &[u32]) -> Result<TokenLosses> {
        if !self.device().is_cpu() {
            return Ok(graph::losses(self, hidden_td, targets, None)?.0);
        }
        self.with_output(|output| Ok(output.losses(hidden_td, targets, self.compute())?))
    }

    /// The same, and the gradient of the hidden states for a loss whose slope by each `-log p` is its weight; the output matrix's
    /// gradient goes to `gradients` when it is trained.
    pub fn loss_gradients(
        &self,
        hidden_td: &[f32],
        targets: &[u32],
        weights: TokenWeights,
        gradients: &mut Gradients,
    ) -> Result<(TokenLosses, Vec<f32>)> {
        if !self.device().is_cpu() {
            return graph::losses(self, hidden_td, targets, Some((weights, gradients)));
        }
        let sum = self.model.head_var().map(|var| gradients.sum(var)).transpose()?;
        self.with_output(|output| Ok(output.gradients(hidden_td, targets, weights, self.compute(), sum)?))
    }

    /// Log-probabilities of ids after the rows of hidden states `[n, d]`; the ids are in the order of their rows.
    pub fn score(&self, hidden_nd: &Tensor, asked: &[Asked]) -> Result<Vec<Scored>> {
        if !self.device().is_cpu() {
            return graph::score(self, hidden_nd, asked);
        }
        with_tensor(hidden_nd, |hidden_nd| {
            self.with_output(|output| Ok(output.score(hidden_nd, asked, self.compute())?))
        })?
    }

    fn with_output<R>(&self, f: impl FnOnce(OutputMatrix) -> Result<R>) -> Result<R> {
        let Some(weight) = self.model.head_var() else {
            return f(OutputMatrix::Frozen(self.packed_head()?));
        };
        let shape = weight.dims2()?;
        with_tensor(weight, |w| f(OutputMatrix::Trained(w, shape)))?
    }

    fn embedded(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let vocabulary = self.config().vocab_size;
        if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(Error::Argument(format!("token id {id} in a vocabulary of {vocabulary}")));
        }
        self.model.embedding.rows(tokens)
    }

    fn rows<'a>(&self, layer: &'a Layer, shared: &'a Shared) -> LayerRows<'a> {
        LayerRows { layer, sizes: Sizes::new(self.config(), self.compute()), shared }
    }
}

impl Tape {
    /// Adds the gradients of every trained variable that `dhidden_td`, the gradient of the hidden states, leads to.
    pub fn backward(self, decoder: &Decoder, dhidden_td: &[f32], gradients: &mut Gradients) -> Result<()> {
        match self.0 {
            Way::Rows(tape) => tape.backward(decoder, dhidden_td, gradients),
            Way::Graph(tape) => tape.backward(decoder, dhidden_td, gradients),
        }
    }

    /// Memory the kept activations take.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Way::Rows(tape) => tape.bytes(),
            Way::Graph(tape) => tape.bytes(),
        }
    }
}

impl RowsTape {
    fn backward(self, decoder: &Decoder, dhidden_td: &[f32], gradients: &mut Gradients) -> Result<()> {
        let Self { tokens, shared, layers, last_td } = self;
        if layers.len() != decoder.layers().len() {
            return Err(Error::Argument("the forward pass kept nothing to go back with".to_owned()));
        }
        let eps = decoder.config().rms_norm_eps;
        let (mut dx_td, dw) =
            with_vector(&decoder.model.norm, |w| rms_norm_gradients(&last_td, w, dhidden_td, eps))?;
        gradients.add_vector(&decoder.model.norm, &dw)?;
        drop(last_td);
        for (layer, kept) in decoder.layers().iter().zip(layers).rev() {
            let rows = decoder.rows(layer, &shared);
            let tape = match kept {
                Kept::Activations(tape) => *tape,
                Kept::Input { x_td, mut dropout } => rows
                    .forward(x_td, dropout.as_mut(), Want::Tape)?
                    .1
                    .ok_or_else(|| Error::Argument("a layer kept nothing".to_owned()))?,
            };
            dx_td = rows.backward(&tape, dx_td, gradients)?;
        }
        if let Some(var) = decoder.model.embedding.var() {
            embedding_gradient(&dx_td, decoder.config().hidden_size, &tokens, gradients.sum(var)?);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let of_layer = |kept: &Kept| match kept {
            Kept::Input { x_td, .. } => x_td.len() * 4,
            Kept::Activations(tape) => tape.bytes(),
        };
        self.layers.iter().map(of_layer).sum::<usize>() + self.last_td.len() * 4
    }
}

/// Runs `f` over the values of a vector of parameters.
fn with_vector<R>(vector: &Vector, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_tensor(vector.tensor(), f)
}

fn with_tensor<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    Ok(with_floats(tensor, |values| Ok(f(values)))?)
}
