//! Copying strided matrices into the panels the tile kernel reads.

use std::ops::Range;

use super::{
    Matrix, Panels,
    tile::{MR, NR},
};
use crate::Compute;

/// A strided f32 matrix as the right operand, rounded while it is packed.
pub(crate) struct Strided<'a> {
    pub(crate) matrix: Matrix<'a>,
    pub(crate) round: Compute,
}

impl Panels for Strided<'_> {
    fn k(&self) -> usize {
        self.matrix.rows
    }

    fn n(&self) -> usize {
        self.matrix.cols
    }

    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        let from = panel * NR;
        let width = NR.min(self.matrix.cols - from);
        pack::<NR>(self.matrix.t(), from, width, k, out);
        self.round.round_slice(out);
    }
}

/// Packs rows `from..from + height` of `a` (height at most `W`), columns `k`, as groups of `W` floats per column; missing
/// rows are 0.
pub(super) fn pack<const W: usize>(a: Matrix, from: usize, height: usize, k: Range<usize>, out: &mut [f32]) {
    debug_assert_eq!(out.len(), k.len() * W);
    if height < W {
        out.fill(0.0);
    }
    if a.row_stride == 1 {
        for (group, k) in out.chunks_exact_mut(W).zip(k) {
            group[..height].copy_from_slice(&a.data[k * a.col_stride + from..][..height]);
        }
    } else if a.col_stride == 1 {
        let row = |r: usize| &a.data[(from + r) * a.row_stride..][k.clone()];
        transpose_rows::<W>(height, row, out);
    } else {
        for (group, k) in out.chunks_exact_mut(W).zip(k) {
            for (r, x) in group[..height].iter_mut().enumerate() {
                *x = a.data[(from + r) * a.row_stride + k * a.col_stride];
            }
        }
    }
}

/// Packs rows of `a` for the left operand.
pub(super) fn pack_left(a: Matrix, round: Compute, panel: usize, k: Range<usize>, out: &mut [f32]) {
    let from = panel * MR;
    pack::<MR>(a, from, MR.min(a.rows - from), k, out);
    round.round_slice(out);
}

/// `out[k][r] = row(r)[k]` for `r < height <= W`.
fn transpose_rows<'a, const W: usize>(height: usize, row: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if crate::isa::isa() >= crate::isa::Isa::Avx2 {
        done = out.len() / W / 8 * 8;
        for first in (0..W).step_by(8) {
            let zeros = [0.0_f32; 8];
            let rows: [&[f32]; 8] =
                std::array::from_fn(|r| if first + r < height { row(first + r) } else { &zeros[..] });
            let real = height.saturating_sub(first).min(8);
            if real > 0 {
                super::transpose::interleave(rows, real, done, &mut out[first..], W);
            }
        }
    }
    for r in 0..height {
        for (k, &x) in row(r).iter().enumerate().skip(done) {
            out[k * W + r] = x;
        }
    }
}
