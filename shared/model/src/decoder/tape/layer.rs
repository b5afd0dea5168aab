//! One decoder layer: rows through it, and gradients back.

use std::borrow::Cow;
use std::ops::Range;

use anneal_kernels::rows::{
    AttentionRows, Direction, Kept, add, by_blocks, gathered, rms_norm_gradients, rms_norm_rows, rope_rows,
    sum, swiglu_gradients, swiglu_rows,
};
use anneal_kernels::{in_pool, threads};
use rayon::prelude::*;

use super::projection::AdapterTape;
use super::{Gradients, Shared, with_vector};
use crate::decoder::dropout::DropoutState;
use crate::decoder::layer::{Layer, Sizes};
use crate::decoder::linear::Linear;
use crate::decoder::projection::{Projection, Vector};
use crate::error::Result;

/// Rows of a block that goes through a layer by itself, at most: with their feed-forward part they fit a core's caches.
const BLOCK_ROWS: usize = 192;
/// And at least: a weight is read for each block.
const LEAST_ROWS: usize = 64;
/// Rows of a product's tile where there are vectors of 16, and two tiles' where there are shorter ones.
const TILE_ROWS: usize = 12;

/// What a layer's backward pass needs; letters as in the crate's legend.
#[derive(Debug)]
pub(super) struct LayerTape {
    x_td: Vec<f32>,
    /// Before the head norms and the rotation, where there are head norms.
    raw_q: Option<Kept>,
    raw_k: Option<Kept>,
    q_thc: Kept,
    k_tkc: Kept,
    v_tkc: Kept,
    attended_thc: Kept,
    log_sums_th: Vec<f32>,
    /// What attention adds to the residual stream: rounded, which the sum of the two is not.
    output_td: Kept,
    gate_ti: Kept,
    up_ti: Kept,
    adapters: [Option<AdapterTape>; 7],
}

impl LayerTape {
    pub(super) fn bytes(&self) -> usize {
        let kept = [&self.q_thc, &self.k_tkc, &self.v_tkc, &self.attended_thc];
        let feed_forward = [&self.output_td, &self.gate_ti, &self.up_ti];
        let raw = self.raw_q.iter().chain(&self.raw_k);
        let floats = self.x_td.len() + self.log_sums_th.len();
        kept.into_iter().chain(feed_forward).chain(raw).map(Kept::bytes).sum::<usize>()
            + floats * 4
            + self.adapters.iter().flatten().map(AdapterTape::bytes).sum::<usize>()
    }
}

/// What is wanted of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want<'a> {
    /// The residual stream after it.
    Output,
    /// The same, and the tape for a backward pass.
    Tape,
    /// Some rows of the residual stream: all that comes behind attention is done for them alone.
    Rows(&'a [usize]),
}

/// A layer and the pass it is part of.
pub(super) struct LayerRows<'a> {
    pub(super) layer: &'a Layer,
    pub(super) sizes: Sizes,
    pub(super) shared: &'a Shared,
}

impl LayerRows<'_> {
    /// The residual stream `[t, d]` after the layer, and what a backward pass needs when it is wanted.
    pub(super) fn forward(
        &self,
        x_td: Vec<f32>,
        train: Option<&mut DropoutState>,
        want: Want<'_>,
    ) -> Result<(Vec<f32>, Option<LayerTape>)> {
        self.forward_by(x_td, train, want, |attention, [q, k, v]| attention.forward(q, k, v))
    }

    /// The same with an attention of the caller's: from queries, keys and values to its output and the logs of its sums.
    pub(super) fn forward_by(
        &self,
        mut x_td: Vec<f32>,
        train: Option<&mut DropoutState>,
        want: Want<'_>,
        attend: impl FnOnce(AttentionRows<'_>, [&[f32]; 3]) -> (Vec<f32>, Vec<f32>),
    ) -> Result<(Vec<f32>, Option<LayerTape>)> {
        let keep = matches!(want, Want::Tape);
        if !keep && train.is_none() {
            let qkv = self.attending_by_blocks(&x_td)?;
            let (mut attended, _) = attend(self.attention(), qkv.each_ref().map(Vec::as_slice));
            drop(qkv);
            if let Want::Rows(rows) = want {
                attended = gathered(&attended, self.query_width(), rows);
                x_td = gathered(&x_td, self.width(), rows);
            }
            self.finish_by_blocks(&attended, &mut x_td)?;
            return Ok((x_td, None));
        }
        debug_assert!(!matches!(want, Want::Rows(_)), "rows are picked where nothing is trained");
        let mut linears = Linears::new(self, train);
        let Attending { qkv: [q, k, v], raw: [raw_q, raw_k] } =
            self.attending(&mut linears, &x_td, 0, keep)?;
        let (attended, log_sums_th) = attend(self.attention(), [&q, &k, &v]);
        let Finished { y_td, output, gate, up } = self.finish(&mut linears, &attended, &x_td)?;
        let kept = |values| Kept::rounded(values, self.sizes.compute);
        let tape = keep.then(|| LayerTape {
            x_td,
            raw_q,
            raw_k,
            q_thc: kept(q),
            k_tkc: kept(k),
            v_tkc: kept(v),
            attended_thc: kept(attended),
            log_sums_th,
            output_td: kept(output),
            gate_ti: kept(gate),
            up_ti: kept(up),
            adapters: linears.tapes,
        });
        Ok((y_td, tape))
    }

    /// What attention takes, from rows of the residual stream of which the first is row `from` of all.
    fn attending(
        &self,
        linears: &mut Linears<'_>,
        x_td: &[f32],
        from: usize,
        keep: bool,
    ) -> Result<Attending> {
        let layer = self.layer;
        let normed = self.norm(&layer.input_norm, x_td)?;
        let (mut q, mut k) = (linears.of(Linear::Query, &normed)?, linears.of(Linear::Key, &normed)?);
        let v = linears.of(Linear::Value, &normed)?;
        drop(normed);
        let raw_q = self.head_norm(layer.query_norm.as_ref(), &mut q, keep)?;
        let raw_k = self.head_norm(layer.key_norm.as_ref(), &mut k, keep)?;
        self.rotate(&mut q, from, self.sizes.heads, Direction::Forward);
        self.rotate(&mut k, from, self.sizes.kv_heads, Direction::Forward);
        Ok(Attending { qkv: [q, k, v], raw: [raw_q, raw_k] })
    }

    /// What comes behind attention, from rows of its output and of the residual stream.
    fn finish(&self, linears: &mut Linears<'_>, attended: &[f32], x_td: &[f32]) -> Result<Finished> {
        let output = linears.of(Linear::Output, attended)?;
        let middle_td = sum(&output, x_td);
        let normed = self.norm(&self.layer.post_attention_norm, &middle_td)?;
        let (gate, up) = (linears.of(Linear::Gate, &normed)?, linears.of(Linear::Up, &normed)?);
        drop(normed);
        let mut y_td = linears.of(Linear::Down, &swiglu_rows(&gate, &up, self.sizes.compute))?;
        add(&mut y_td, &middle_td);
        Ok(Finished { y_td, output, gate, up })
    }

    /// Rows know nothing of each other but in attention. Where nothing is kept they go through the rest of a layer a block at a time,
    /// each block on one thread, and what lies between two operations stays in its caches.
    fn attending_by_blocks(&self, x_td: &[f32]) -> Result<[Vec<f32>; 3]> {
        let (d, query, key) = (self.width(), self.query_width(), self.sizes.kv_heads * self.sizes.head_dim);
        let count = x_td.len() / d;
        by_blocks(&self.blocks(count), [query, key, key], |rows| {
            let x_td = &x_td[rows.start * d..rows.end * d];
            Ok(self.attending(&mut Linears::new(self, None), x_td, rows.start, false)?.qkv)
        })
    }

    /// The residual stream goes through the rest of the layer in its place.
    fn finish_by_blocks(&self, attended: &[f32], x_td: &mut [f32]) -> Result<()> {
        let (d, query) = (self.width(), self.query_width());
        let blocks = self.blocks(x_td.len() / d);
        let mut left = x_td;
        let rooms: Vec<&mut [f32]> =
            blocks.iter().filter_map(|rows| left.split_off_mut(..rows.len() * d)).collect();
        in_pool(|| {
            rooms.into_par_iter().zip(&blocks).try_for_each(|(x_td, rows)| {
                let attended = &attended[rows.start * query..rows.end * query];
                let of_block = self.finish(&mut Linears::new(self, None), attended, x_td)?;
                x_td.copy_from_slice(&of_block.y_td);
                Ok(())
            })
        })
    }

    /// The blocks that rows go through a layer in: whole tiles where there are several, as many blocks for one thread as for another, and
    /// about as many tiles in each. One for all rows where weights are prepared for every product.
    fn blocks(&self, rows: usize) -> Vec<Range<usize>> {
        let threads = threads();
        let in_place = self.layer.linears.iter().all(Projection::is_read_in_place);
        let several = in_place && rows >= LEAST_ROWS * threads;
        let count = if several { rows.div_ceil(BLOCK_ROWS * threads) * threads } else { 1 };
        let tiles = rows.div_ceil(TILE_ROWS);
        let begin = |block: usize| (tiles * block / count * TILE_ROWS).min(rows);
        let blocks = (0..count).map(|block| begin(block)..begin(block + 1));
        blocks.filter(|rows| !rows.is_empty()).collect()
    }

    /// Values of a row of the residual stream.
    fn width(&self) -> usize {
        self.layer.input_norm.tensor().elem_count()
    }

    /// Values of a row of queries.
    fn query_width(&self) -> usize {
        self.sizes.heads * self.sizes.head_dim
    }

    /// The gradient of the layer's input from that of its output.
    pub(super) fn backward(
        &self,
        tape: &LayerTape,
        dy_td: Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let dmiddle_td = self.feed_forward_back(tape, dy_td, gradients)?;
        self.attention_back(tape, dmiddle_td, gradients)
    }

    fn feed_forward_back(
        &self,
        tape: &LayerTape,
        dy_td: Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let compute = self.sizes.compute;
        let (gate, up) = (tape.gate_ti.floats(), tape.up_ti.floats());
        let mixed = if self.layer.linear(Linear::Down).needs_input(self.shared.adapter) {
            swiglu_rows(&gate, &up, compute)
        } else {
            Vec::new()
        };
        let dmixed = self.back(tape, Linear::Down, &mixed, &dy_td, gradients)?;
        drop(mixed);
        let (dgate, dup) = swiglu_gradients(&gate, &up, &dmixed, compute);
        drop((gate, up, dmixed));
        let norm = &self.layer.post_attention_norm;
        let middle_td = sum(&tape.output_td.floats(), &tape.x_td);
        let normed = self.norm(norm, &middle_td)?;
        let mut dnormed = self.back(tape, Linear::Gate, &normed, &dgate, gradients)?;
        add(&mut dnormed, &self.back(tape, Linear::Up, &normed, &dup, gradients)?);
        self.norm_back(norm, &middle_td, &dnormed, dy_td, gradients)
    }

    fn attention_back(
        &self,
        tape: &LayerTape,
        dmiddle_td: Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let attended = tape.attended_thc.floats();
        let dattended = self.back(tape, Linear::Output, &attended, &dmiddle_td, gradients)?;
        let qkv = [&tape.q_thc, &tape.k_tkc, &tape.v_tkc].map(Kept::floats);
        let taken = qkv.each_ref().map(Cow::as_ref);
        let [mut dq, mut dk, dv] =
            self.attention().gradients(taken, (&attended, &tape.log_sums_th), &dattended);
        drop((attended, qkv, dattended));
        self.rotate(&mut dq, 0, self.sizes.heads, Direction::Back);
        self.rotate(&mut dk, 0, self.sizes.kv_heads, Direction::Back);
        let dq = self.head_norm_back(self.layer.query_norm.as_ref(), tape.raw_q.as_ref(), dq, gradients)?;
        let dk = self.head_norm_back(self.layer.key_norm.as_ref(), tape.raw_k.as_ref(), dk, gradients)?;
        let norm = &self.layer.input_norm;
        let normed = self.norm(norm, &tape.x_td)?;
        let mut dnormed = self.back(tape, Linear::Query, &normed, &dq, gradients)?;
        add(&mut dnormed, &self.back(tape, Linear::Key, &normed, &dk, gradients)?);
        add(&mut dnormed, &self.back(tape, Linear::Value, &normed, &dv, gradients)?);
        self.norm_back(norm, &tape.x_td, &dnormed, dmiddle_td, gradients)
    }

    fn back(
        &self,
        tape: &LayerTape,
        which: Linear,
        x: &[f32],
        grad: &[f32],
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let adapter = tape.adapters[which as usize].as_ref();
        self.layer.linear(which).rows_backward(x, grad, adapter, self.sizes.compute, gradients)
    }

    fn attention(&self) -> AttentionRows<'_> {
        let Sizes { heads, kv_heads, head_dim, compute, .. } = self.sizes;
        let (segments, scale) = (&self.shared.segments, self.sizes.scale());
        AttentionRows { segments, heads, kv_heads, head_dim, scale, compute }
    }

    fn norm(&self, norm: &Vector, x: &[f32]) -> Result<Vec<f32>> {
        with_vector(norm, |w| rms_norm_rows(x, w, self.sizes.eps))
    }

    /// The gradient through a norm, added to the gradient `around` it.
    fn norm_back(
        &self,
        norm: &Vector,
        x: &[f32],
        grad: &[f32],
        mut around: Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let (dx, dw) = with_vector(norm, |w| rms_norm_gradients(x, w, grad, self.sizes.eps))?;
        gradients.add_vector(norm, &dw)?;
        add(&mut around, &dx);
        Ok(around)
    }

    /// Normalises every head in place where there is a norm for it; returns what it was before.
    fn head_norm(&self, norm: Option<&Vector>, x: &mut Vec<f32>, keep: bool) -> Result<Option<Kept>> {
        let Some(norm) = norm else { return Ok(None) };
        let raw = std::mem::take(x);
        *x = self.norm(norm, &raw)?;
        Ok(keep.then(|| Kept::rounded(raw, self.sizes.compute)))
    }

    fn head_norm_back(
        &self,
        norm: Option<&Vector>,
        raw: Option<&Kept>,
        grad: Vec<f32>,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let (Some(norm), Some(raw)) = (norm, raw) else { return Ok(grad) };
        let (dx, dw) = with_vector(norm, |w| rms_norm_gradients(&raw.floats(), w, &grad, self.sizes.eps))?;
        gradients.add_vector(norm, &dw)?;
        Ok(dx)
    }

    /// Rotates every head of rows of which the first is row `from` of all.
    fn rotate(&self, x: &mut [f32], from: usize, heads: usize, direction: Direction) {
        if self.layer.rotated {
            let of_rows = from * self.sizes.head_dim / 2..;
            let (cos, sin) = (&self.shared.cos[of_rows.clone()], &self.shared.sin[of_rows]);
            rope_rows(x, cos, sin, (heads, self.sizes.head_dim), direction);
        }
    }
}

/// Queries, keys and values, and what queries and keys were before their norms, where there are norms and it is kept.
struct Attending {
    qkv: [Vec<f32>; 3],
    raw: [Option<Kept>; 2],
}

/// The residual stream after a layer, and what it was made of.
struct Finished {
    y_td: Vec<f32>,
    output: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
}

/// The linears of a layer in a forward pass, and what their adapters keep.
struct Linears<'a> {
    rows: &'a LayerRows<'a>,
    train: Option<&'a mut DropoutState>,
    tapes: [Option<AdapterTape>; 7],
}

impl<'a> Linears<'a> {
    fn new(rows: &'a LayerRows<'a>, train: Option<&'a mut DropoutState>) -> Self {
        Self { rows, train, tapes: Default::default() }
    }

    fn of(&mut self, which: Linear, x: &[f32]) -> Result<Vec<f32>> {
        let LayerRows { layer, sizes, shared } = self.rows;
        let linear = layer.linear(which);
        let (y, tape) = linear.rows_forward(x, sizes.compute, shared.adapter, self.train.as_deref_mut())?;
        self.tapes[which as usize] = tape;
        Ok(y)
    }
}
