//! Small products of blocks that fit the first caches, for attention.

use super::{
    Matrix,
    pack::{pack, pack_left_cells},
    tile::{Kernel, NR},
};
use crate::Compute;

/// The kernel of every block: f32 cells, whatever the values were rounded to.
fn kernel() -> &'static Kernel {
    Kernel::of(Compute::F32)
}

/// Packs all rows of `a` as a left operand, rounded.
pub(crate) fn pack_rows(a: Matrix, round: Compute, out: &mut Vec<f32>) {
    let kernel = kernel();
    let panel = a.cols * kernel.rows;
    out.resize(a.rows.div_ceil(kernel.rows) * panel, 0.0);
    for (index, out) in out.chunks_mut(panel).enumerate() {
        pack_left_cells(kernel, a, index, 0..a.cols, out);
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
        let kernel = kernel();
        assert!(
            a.len() >= rows.next_multiple_of(kernel.rows) * k && b.len() >= (panels - 1) * b_stride + k * NR
        );
        assert!(stride >= panels * NR && c.len() >= (rows - 1) * stride + panels * NR);
        for panel in (0..panels).step_by(kernel.panels()) {
            let width = kernel.panels().min(panels - panel);
            for row in (0..rows).step_by(kernel.rows) {
                #[allow(unsafe_code, reason = "the tile kernels take pointers")]
                // SAFETY: the lengths of all three are asserted above for every panel and row; a tile of one panel does not
                // read its second pointer.
                unsafe {
                    let height = kernel.rows.min(rows - row);
                    let tile = kernel.tile(height, width);
                    let c = c.as_mut_ptr().add(row * stride + panel * NR);
                    let first = b.as_ptr().add(panel * b_stride);
                    let second = if width == 2 { first.add(b_stride) } else { first };
                    tile(height, k, a.as_ptr().add(row * k), [first, second], c, stride, add);
                }
            }
        }
    }
}
