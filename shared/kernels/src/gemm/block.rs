//! Small products of blocks that fit the first caches, for attention.

use super::{
    Matrix,
    pack::pack,
    tile::{MR, NR, tiles},
};
use crate::Compute;

/// Packs all rows of `a` as a left operand, rounded; returns the number of floats written.
pub(crate) fn pack_rows(a: Matrix, round: Compute, out: &mut Vec<f32>) {
    let panel = a.cols * MR;
    out.resize(a.rows.div_ceil(MR) * panel, 0.0);
    for (index, out) in out.chunks_mut(panel).enumerate() {
        pack::<MR>(a, index * MR, MR.min(a.rows - index * MR), 0..a.cols, out);
    }
    round.round_slice(out);
}

/// Packs all columns of `b` as a right operand, rounded.
pub(crate) fn pack_columns(b: Matrix, round: Compute, out: &mut Vec<f32>) {
    let panel = b.rows * NR;
    out.resize(b.cols.div_ceil(NR) * panel, 0.0);
    for (index, out) in out.chunks_mut(panel).enumerate() {
        pack::<NR>(b.t(), index * NR, NR.min(b.cols - index * NR), 0..b.rows, out);
    }
    round.round_slice(out);
}

/// `c (+)= a · b` with `rows` rows and `panels` panels of [`NR`] columns; `c` has `stride` floats a row. `a` is packed with inner
/// dimension `k`; each panel of `b` starts `b_stride` floats after the one before.
pub(crate) struct BlockProduct<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) k: usize,
    pub(crate) b: &'a [f32],
    pub(crate) b_stride: usize,
    pub(crate) panels: usize,
    pub(crate) add: bool,
}

impl BlockProduct<'_> {
    pub(crate) fn run(&self, c: &mut [f32], stride: usize) {
        let &Self { a, rows, k, b, b_stride, panels, add } = self;
        if rows == 0 || panels == 0 {
            return;
        }
        assert!(a.len() >= rows.div_ceil(MR) * MR * k && b.len() >= (panels - 1) * b_stride + k * NR);
        assert!(stride >= panels * NR && c.len() >= (rows - 1) * stride + panels * NR);
        let kernels = tiles();
        for panel in 0..panels {
            for row in (0..rows).step_by(MR) {
                #[allow(unsafe_code, reason = "the tile kernels take pointers")]
                // SAFETY: the lengths of all three are asserted above for every panel and row.
                unsafe {
                    let kernel = kernels[MR.min(rows - row) - 1];
                    let c = c.as_mut_ptr().add(row * stride + panel * NR);
                    kernel(k, a.as_ptr().add(row * k), b.as_ptr().add(panel * b_stride), c, stride, add);
                }
            }
        }
    }
}
