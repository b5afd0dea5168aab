//! The backward pass: scores are computed again, block by block, from the saved log-sums (Dao et al. 2022, algorithm 2).
//!
//! One task owns one key head of one segment and goes through its query heads and blocks in order, which fixes every sum.

use super::{
    forward::{Heads, KEYS, Numerics, QUERIES},
    softmax::{Scores, causal_limits, score_gradients},
};
use crate::{
    Compute, Segments,
    aligned::Aligned,
    gemm::{BlockProduct, LeftBlock, Matrix, NR, pack_columns, panel_cells},
    pool,
    rms_norm::dot,
    rows::zeros,
    shared_slice::SharedSlice,
};

/// What the backward pass needs of the forward pass, all segments together.
pub(crate) struct Saved<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) k: &'a [f32],
    pub(crate) v: &'a [f32],
    pub(crate) y: &'a [f32],
    pub(crate) grad: &'a [f32],
    pub(crate) log_sums: &'a [f32],
}

/// Gradients of q, k and v.
pub(crate) struct Gradients {
    pub(crate) dq: Vec<f32>,
    pub(crate) dk: Vec<f32>,
    pub(crate) dv: Vec<f32>,
}

pub(crate) fn backward(saved: &Saved, segments: &Segments, heads: Heads, numerics: Numerics) -> Gradients {
    let mut gradients =
        Gradients { dq: zeros(saved.q.len()), dk: zeros(saved.k.len()), dv: zeros(saved.v.len()) };
    let Gradients { dq, dk, dv } = &mut gradients;
    let (dq, dk, dv) = (SharedSlice::new(dq), SharedSlice::new(dk), SharedSlice::new(dv));
    let mut tasks: Vec<_> =
        segments.iter().flat_map(|range| (0..heads.k).map(move |k| (range.clone(), k))).collect();
    tasks.sort_by_key(|(range, _)| std::cmp::Reverse(range.len()));
    let group = heads.h / heads.k;
    pool::each(true, tasks.len(), |n| {
        let (range, key_head) = &tasks[n];
        let mut task = Segment::new(saved, heads, numerics, range.start, range.len(), *key_head);
        for head in key_head * group..(key_head + 1) * group {
            let mut dq_nc = vec![0.0; range.len() * heads.padded()];
            for query in (0..range.len()).step_by(QUERIES) {
                task.query_block(head, query, &mut dq_nc);
            }
            scatter(&dq, &dq_nc, heads, range.start, (heads.h, head), numerics.compute);
        }
        scatter(&dk, &task.dk, heads, range.start, (heads.k, *key_head), numerics.compute);
        scatter(&dv, &task.dv, heads, range.start, (heads.k, *key_head), numerics.compute);
    });
    gradients
}

/// Writes the rows of one head, rounded, where they belong in `[t, heads, c]`.
fn scatter(
    target: &SharedSlice,
    rows: &[f32],
    heads: Heads,
    start: usize,
    (count, head): (usize, usize),
    compute: Compute,
) {
    for (n, row) in rows.chunks(heads.padded()).enumerate() {
        let at = ((start + n) * count + head) * heads.c;
        #[allow(unsafe_code, reason = "each task has its own rows and heads")]
        // SAFETY: no two tasks share a segment and a head.
        let out = unsafe { target.range(at..at + heads.c) };
        out.copy_from_slice(&row[..heads.c]);
        compute.round_slice(out);
    }
}

/// One key head of one segment.
struct Segment<'a> {
    saved: &'a Saved<'a>,
    heads: Heads,
    numerics: Numerics,
    start: usize,
    len: usize,
    blocks: Vec<KeyBlock>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

/// A block of keys, packed for the three products it is the right operand of.
#[derive(Default)]
struct KeyBlock {
    keys_t: Aligned,
    values_t: Aligned,
    keys: Aligned,
}

impl<'a> Segment<'a> {
    fn new(
        saved: &'a Saved<'a>,
        heads: Heads,
        numerics: Numerics,
        start: usize,
        len: usize,
        key_head: usize,
    ) -> Self {
        let k = heads.head(saved.k, heads.k, key_head).row_range(start..start + len);
        let v = heads.head(saved.v, heads.k, key_head).row_range(start..start + len);
        let blocks = (0..len).step_by(KEYS).map(|from| {
            let range = from..(from + KEYS).min(len);
            let (k, v) = (k.row_range(range.clone()), v.row_range(range));
            let mut block = KeyBlock::default();
            pack_columns(k.t(), numerics.compute, &mut block.keys_t);
            pack_columns(v.t(), numerics.compute, &mut block.values_t);
            pack_columns(k, numerics.compute, &mut block.keys);
            block
        });
        let blocks = blocks.collect();
        let size = len * heads.padded();
        Self { saved, heads, numerics, start, len, blocks, dk: vec![0.0; size], dv: vec![0.0; size] }
    }

    fn query_block(&mut self, head: usize, query: usize, dq_nc: &mut [f32]) {
        let (heads, c, k) = (self.heads, self.heads.padded(), self.heads.c);
        let rows = QUERIES.min(self.len - query);
        let range = self.start + query..self.start + query + rows;
        let q = heads.head(self.saved.q, heads.h, head).row_range(range.clone());
        let (deltas, grad) = self.deltas(head, range.clone());
        let grad = Matrix::new(&grad, rows, k);
        let (compute, round) = (self.numerics.compute, self.numerics.inner());
        let (q_left, grad_left) = (LeftBlock::pack(q, compute), LeftBlock::pack(grad, compute));
        let [mut q_right, mut grad_right] = <[Aligned; 2]>::default();
        pack_columns(q, compute, &mut q_right);
        pack_columns(grad, compute, &mut grad_right);
        let (mut scores, mut dp) = (Scores([[0.0; KEYS]; QUERIES]), Scores([[0.0; KEYS]; QUERIES]));
        for (block, from) in self.blocks.iter().zip((0..query + rows).step_by(KEYS)) {
            let held = KEYS.min(self.len - from);
            let (panels, b_stride) = (held.div_ceil(NR), panel_cells(k, round));
            BlockProduct { a: &q_left, b: &block.keys_t, b_stride, panels, add: false }
                .run(scores.0.as_flattened_mut(), KEYS);
            BlockProduct { a: &grad_left, b: &block.values_t, b_stride, panels, add: false }
                .run(dp.0.as_flattened_mut(), KEYS);
            for (r, limit) in causal_limits(query + 1, rows, from).enumerate() {
                let log_sum = self.saved.log_sums[(range.start + r) * heads.h + head];
                score_gradients(
                    &mut scores.0[r],
                    &mut dp.0[r],
                    limit,
                    self.numerics.scale,
                    log_sum,
                    deltas[r],
                );
            }
            let (scores, dp) = (scores.0.as_flattened(), dp.0.as_flattened());
            let view = |data| Matrix { data, rows, cols: held, row_stride: KEYS, col_stride: 1 };
            let (keys, panels, b_stride) = (from * c..(from + held) * c, c / NR, panel_cells(rows, round));
            for (weights, b, sum) in [(scores, &grad_right, &mut self.dv), (dp, &q_right, &mut self.dk)] {
                let left = LeftBlock::pack(view(weights).t(), round);
                BlockProduct { a: &left, b, b_stride, panels, add: true }.run(&mut sum[keys.clone()], c);
            }
            let left = LeftBlock::pack(view(dp), round);
            let b_stride = panel_cells(held, round);
            BlockProduct { a: &left, b: &block.keys, b_stride, panels, add: true }
                .run(&mut dq_nc[query * c..(query + rows) * c], c);
        }
    }

    /// `grad · y` of each row, and the rounded gradient rows.
    fn deltas(&self, head: usize, rows: std::ops::Range<usize>) -> (Vec<f32>, Vec<f32>) {
        let (h, c) = (self.heads.h, self.heads.c);
        let mut grads = Vec::with_capacity(rows.len() * c);
        let mut deltas = Vec::with_capacity(rows.len());
        for row in rows {
            let at = (row * h + head) * c;
            let from = grads.len();
            grads.extend_from_slice(&self.saved.grad[at..at + c]);
            self.numerics.compute.round_slice(&mut grads[from..]);
            deltas.push(dot(&grads[from..], &self.saved.y[at..at + c]));
        }
        (deltas, grads)
    }
}
