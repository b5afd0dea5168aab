//! The forward pass: blocks of queries over blocks of keys with a running maximum and sum (Dao et al. 2022).
//!
//! Blocks of keys are counted from the sequence's first key and a row's own block never depends on other rows, so a query gets the
//! same bits alone over a cache as among all queries of its sequence.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    held::KeyValues,
    softmax::{Running, Scores, rescale_row},
};
use crate::{
    Compute, Segments,
    fetch::fetch,
    gemm::{BlockProduct, LeftBlock, Matrix, NR, panel_cells},
    pool,
    rows::zeros,
    shared_slice::SharedSlice,
};

/// Keys of a block.
pub(super) const KEYS: usize = 64;
/// Queries of a block.
pub(super) const QUERIES: usize = 64;
/// Rows below which a block of keys and values takes longer to come from memory than to be worked on.
const FEW_ROWS: usize = 32;
/// Products of queries and keys below which a second thread costs more than it helps.
const PARALLEL: usize = 1 << 17;

/// Head counts and size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    pub(crate) h: usize,
    pub(crate) k: usize,
    pub(crate) c: usize,
}

impl Heads {
    /// The head size, padded to whole panels.
    pub(super) fn padded(self) -> usize {
        self.c.next_multiple_of(NR)
    }

    /// One head of `[n, heads, c]` as a matrix `[n, c]`.
    pub(super) fn head(self, x: &[f32], heads: usize, head: usize) -> Matrix<'_> {
        let rows = x.len() / (heads * self.c);
        Matrix { data: &x[head * self.c..], rows, cols: self.c, row_stride: heads * self.c, col_stride: 1 }
    }
}

/// One sequence: queries `[n, h, c]` are the last positions of its keys.
#[derive(Clone, Copy)]
pub(crate) struct Sequence<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) held: &'a KeyValues,
}

/// Keys and values of every segment of `[t, k, c]`.
pub(crate) fn hold(
    k: &[f32],
    v: &[f32],
    segments: &Segments,
    heads: Heads,
    compute: Compute,
) -> Vec<KeyValues> {
    let row = heads.k * heads.c;
    let ranges: Vec<_> = segments.iter().map(|range| range.start * row..range.end * row).collect();
    let one =
        |range: &Range<usize>| KeyValues::of(&k[range.clone()], &v[range.clone()], heads.k, heads.c, compute);
    pool::in_pool(|| ranges.par_iter().map(one).collect())
}

/// Scale and rounding of the inputs and the output.
#[derive(Clone, Copy)]
pub(crate) struct Numerics {
    pub(crate) scale: f32,
    pub(crate) compute: Compute,
}

impl Numerics {
    /// What the operands of the inner products are rounded to: bf16 where the inputs are, as every implementation of the algorithm for
    /// bf16 does with the weights of the softmax; else nothing more than the inputs were.
    pub(super) fn inner(self) -> Compute {
        if self.compute == Compute::Bf16 { Compute::Bf16 } else { Compute::F32 }
    }
}

/// Some rows of one key head of a sequence: its queries, each in all the heads that read this one.
struct Task {
    sequence: usize,
    key_head: usize,
    rows: Range<usize>,
    /// The sequence's first query in the batch.
    first: usize,
}

/// Output rows and log-sums (`[t, h]`), sequence after sequence.
pub(crate) fn forward(sequences: &[Sequence], heads: Heads, numerics: Numerics) -> (Vec<f32>, Vec<f32>) {
    let Heads { h, k, c } = heads;
    let group = h / k;
    let total: usize = sequences.iter().map(|s| s.q.len()).sum();
    let mut tasks = Vec::new();
    let (mut first, mut work) = (0, 0);
    for (sequence, s) in sequences.iter().enumerate() {
        let rows = s.q.len() / (k * c);
        for from in (0..rows).step_by(QUERIES) {
            let rows = from..(from + QUERIES).min(rows);
            tasks.extend((0..k).map(|key_head| Task { sequence, key_head, rows: rows.clone(), first }));
        }
        first += rows / group;
        work += s.q.len() * s.held.len();
    }
    let (mut y, mut log_sums) = (zeros(total), zeros(total / c));
    let (shared_y, shared_sums) = (SharedSlice::new(&mut y), SharedSlice::new(&mut log_sums));
    pool::each(work > PARALLEL, tasks.len(), |n| {
        let task = &tasks[n];
        let block = row_block(&sequences[task.sequence], heads, numerics, task);
        let rows = block.sums.iter().zip(block.out.chunks(heads.padded()));
        for (row, (sums, out)) in task.rows.clone().zip(rows) {
            let at = (task.first + row / group) * h + task.key_head * group + row % group;
            #[allow(unsafe_code, reason = "each task has its own queries and heads")]
            // SAFETY: no two tasks share a query and a head.
            unsafe {
                shared_y.range(at * c..(at + 1) * c).copy_from_slice(&out[..c]);
                shared_sums.range(at..at + 1)[0] = *sums;
            }
        }
    });
    (y, log_sums)
}

struct Block {
    /// `[rows, padded c]`.
    out: Vec<f32>,
    /// Log of the softmax denominator of each row.
    sums: Vec<f32>,
}

fn row_block(s: &Sequence, heads: Heads, numerics: Numerics, task: &Task) -> Block {
    let (c, group, k) = (heads.padded(), heads.h / heads.k, heads.c);
    let (keys, rows, inner) = (s.held.len(), task.rows.len(), numerics.inner());
    let mut q = Vec::with_capacity(rows * k);
    for row in task.rows.clone() {
        let at = ((row / group) * heads.h + task.key_head * group + row % group) * k;
        q.extend_from_slice(&s.q[at..at + k]);
    }
    let left = LeftBlock::pack(Matrix::new(&q, rows, k), numerics.compute);
    // How many keys the first query of the sequence sees.
    let first_limit = keys - s.q.len() / (heads.h * k) + 1;
    let limit = |row: usize| first_limit + row / group;
    let mut out = vec![0.0; rows * c];
    let mut scores = Scores([[0.0; KEYS]; QUERIES]);
    let mut running = Running::new();
    for from in (0..limit(task.rows.end - 1)).step_by(KEYS) {
        let held = KEYS.min(keys - from);
        if rows < FEW_ROWS && from + KEYS < keys {
            fetch(s.held.keys(from / KEYS + 1, task.key_head));
            fetch(s.held.values(from / KEYS + 1, task.key_head).0);
        }
        let (b, b_stride, panels) =
            (s.held.keys(from / KEYS, task.key_head), panel_cells(k, inner), held.div_ceil(NR));
        BlockProduct { a: &left, b, b_stride, panels, add: false }.run(scores.0.as_flattened_mut(), KEYS);
        let mut limits = [0; QUERIES];
        for (seen, row) in limits.iter_mut().zip(task.rows.clone()) {
            *seen = limit(row).saturating_sub(from).min(held);
        }
        running.weigh(&mut scores, &limits[..rows], numerics.scale);
        for (out, kept) in out.chunks_mut(c).zip(running.kept) {
            if from > 0 && kept.to_bits() != 1.0_f32.to_bits() {
                rescale_row(out, kept);
            }
        }
        let p = Matrix { data: scores.0.as_flattened(), rows, cols: held, row_stride: KEYS, col_stride: 1 };
        let weights = LeftBlock::pack(p, inner);
        let ((b, b_stride), panels) = (s.held.values(from / KEYS, task.key_head), c / NR);
        BlockProduct { a: &weights, b, b_stride, panels, add: true }.run(&mut out, c);
    }
    let mut sums = Vec::with_capacity(rows);
    for (out, (max, sum)) in out.chunks_mut(c).zip(running.maxima.iter().zip(running.sums)) {
        rescale_row(out, 1.0 / sum);
        numerics.compute.round_slice(out);
        sums.push(max + sum.ln());
    }
    Block { out, sums }
}
