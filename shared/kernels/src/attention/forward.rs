//! The forward pass: blocks of queries over blocks of keys with a running maximum and sum (Dao et al. 2022).
//!
//! Blocks of keys are counted from the sequence's first key and a row's own block never depends on other rows, so a query gets the
//! same bits alone over a cache as among all queries of its sequence.

use super::softmax::{Running, Scores, causal_limits, rescale_row};
use crate::{
    Compute,
    buffers::Aligned,
    gemm::{BlockProduct, Matrix, NR, pack_columns, pack_rows, panel_cells},
    pool,
    shared_slice::SharedSlice,
};

/// Keys of a block.
pub(super) const KEYS: usize = 64;
/// Queries of a block.
pub(super) const QUERIES: usize = 64;

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

/// One sequence: queries are the last positions of its keys. Slices are `[n, h|k, c]`.
#[derive(Clone, Copy)]
pub(crate) struct Sequence<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) k: &'a [f32],
    pub(crate) v: &'a [f32],
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

/// Keys and values of one head of one sequence, block after block.
struct PackedHead {
    /// `kᵀ` of each block of keys.
    keys: Vec<Aligned>,
    /// `v` of each block.
    values: Vec<Aligned>,
}

struct Task {
    sequence: usize,
    head: usize,
    /// First query of the block, and where its row is in the batch.
    query: usize,
    row: usize,
}

/// Output rows and log-sums (`[t, h]`), sequence after sequence.
pub(crate) fn forward(sequences: &[Sequence], heads: Heads, numerics: Numerics) -> (Vec<f32>, Vec<f32>) {
    let Heads { h, k, c } = heads;
    let total: usize = sequences.iter().map(|s| s.q.len()).sum();
    let mut packed: Vec<Option<PackedHead>> = (0..sequences.len() * k).map(|_| None).collect();
    pool::each_mut(&mut packed, |n, packed| {
        let s = &sequences[n / k];
        *packed = Some(pack_head(heads.head(s.k, k, n % k), heads.head(s.v, k, n % k), numerics.compute));
    });
    let mut tasks = Vec::new();
    let mut row = 0;
    for (sequence, s) in sequences.iter().enumerate() {
        let queries = s.q.len() / (h * c);
        for query in (0..queries).step_by(QUERIES) {
            tasks.extend((0..h).map(|head| Task { sequence, head, query, row: row + query }));
        }
        row += queries;
    }
    let (mut y, mut log_sums) = (vec![0.0; total], vec![0.0; total / c]);
    let (shared_y, shared_sums) = (SharedSlice::new(&mut y), SharedSlice::new(&mut log_sums));
    pool::each(total > 1 << 12, tasks.len(), |n| {
        let task = &tasks[n];
        let key_head = task.sequence * k + task.head / (h / k);
        let packed = packed[key_head].as_ref().expect("every head was packed");
        let block = query_block(&sequences[task.sequence], heads, numerics, packed, task);
        for (r, (sums, out)) in block.sums.iter().zip(block.out.chunks(heads.padded())).enumerate() {
            let at = (task.row + r) * h + task.head;
            #[allow(unsafe_code, reason = "each task has its own rows and head")]
            // SAFETY: no two tasks share a (row, head) pair.
            unsafe {
                shared_y.range(at * c..(at + 1) * c).copy_from_slice(&out[..c]);
                shared_sums.range(at..at + 1)[0] = *sums;
            }
        }
    });
    (y, log_sums)
}

fn pack_head(k: Matrix, v: Matrix, compute: Compute) -> PackedHead {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for from in (0..k.rows).step_by(KEYS) {
        let range = from..(from + KEYS).min(k.rows);
        let (mut key, mut value) = (Aligned::default(), Aligned::default());
        pack_columns(k.row_range(range.clone()).t(), compute, &mut key);
        pack_columns(v.row_range(range), compute, &mut value);
        keys.push(key);
        values.push(value);
    }
    PackedHead { keys, values }
}

struct Block {
    /// `[queries, padded c]`.
    out: Vec<f32>,
    /// Log of the softmax denominator of each query.
    sums: Vec<f32>,
}

fn query_block(s: &Sequence, heads: Heads, numerics: Numerics, packed: &PackedHead, task: &Task) -> Block {
    let c = heads.padded();
    let q = heads.head(s.q, heads.h, task.head);
    let keys = s.k.len() / (heads.k * heads.c);
    let rows = QUERIES.min(q.rows - task.query);
    let inner = numerics.inner();
    let mut left = Aligned::default();
    pack_rows(q.row_range(task.query..task.query + rows), numerics.compute, &mut left);
    let first_limit = keys - q.rows + task.query + 1;
    let mut out = vec![0.0; rows * c];
    let mut scores = Scores([[0.0; KEYS]; QUERIES]);
    let mut running = Running::new();
    let mut weights = Aligned::default();
    for (block, (key, value)) in packed.keys.iter().zip(&packed.values).enumerate() {
        let from = block * KEYS;
        if from >= first_limit + rows - 1 {
            break;
        }
        let held = KEYS.min(keys - from);
        let (b, panels) = (&**key, held.div_ceil(NR));
        let k = heads.c;
        let b_stride = panel_cells(k, inner);
        BlockProduct { a: &left, rows, k, b, b_stride, panels, add: false, round: inner }
            .run(scores.0.as_flattened_mut(), KEYS);
        let mut limits = [0; QUERIES];
        for (limit, seen) in limits.iter_mut().zip(causal_limits(first_limit, rows, from)) {
            *limit = seen.min(held);
        }
        running.weigh(&mut scores, &limits[..rows], numerics.scale);
        for (out, kept) in out.chunks_mut(c).zip(running.kept) {
            rescale_row(out, kept);
        }
        let p = Matrix { data: scores.0.as_flattened(), rows, cols: held, row_stride: KEYS, col_stride: 1 };
        pack_rows(p, inner, &mut weights);
        let (panels, b_stride) = (c / NR, panel_cells(held, inner));
        BlockProduct { a: &weights, rows, k: held, b: value, b_stride, panels, add: true, round: inner }
            .run(&mut out, c);
    }
    let mut sums = Vec::with_capacity(rows);
    for (out, (max, sum)) in out.chunks_mut(c).zip(running.maxima.iter().zip(running.sums)) {
        rescale_row(out, 1.0 / sum);
        numerics.compute.round_slice(out);
        sums.push(max + sum.ln());
    }
    Block { out, sums }
}
