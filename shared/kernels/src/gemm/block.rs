//! Small products of blocks that fit the first caches, for attention.

use super::{
    Matrix, Panels as _, Strided,
    pack::pack_left,
    tile::{Kernel, NR, Store},
};
use crate::{
    Compute,
    aligned::Aligned,
    scratch::{Buffer, scratch},
};

/// All rows of a matrix as a left operand, rounded.
pub(crate) struct LeftBlock {
    cells: Buffer,
    kernel: &'static Kernel,
    rows: usize,
    /// Cells of a row.
    k: usize,
}

impl LeftBlock {
    pub(crate) fn pack(a: Matrix, round: Compute) -> Self {
        let kernel = Kernel::of(round);
        let k = kernel.cells(a.cols);
        let kernel = kernel.reading(a, k);
        let panel = kernel.left_panel(k);
        let mut cells = scratch(a.rows.div_ceil(kernel.rows) * panel);
        for (index, out) in cells.chunks_mut(panel.max(1)).enumerate() {
            pack_left(kernel, a, round, index, 0..a.cols, out);
        }
        Self { cells, kernel, rows: a.rows, k }
    }
}

/// Packs all columns of `b` as a right operand, rounded.
pub(crate) fn pack_columns(b: Matrix, round: Compute, out: &mut Aligned) {
    let panel = panel_cells(b.rows, round);
    out.resize(b.cols.div_ceil(NR) * panel);
    pack_panels(b, round, panel, out);
}

/// The same, each panel `stride` cells after the one before.
pub(crate) fn pack_panels(b: Matrix, round: Compute, stride: usize, out: &mut [f32]) {
    let (cells, panels) = (panel_cells(b.rows, round), b.cols.div_ceil(NR));
    let b = Strided { matrix: b, round };
    for (index, out) in out.chunks_mut(stride).take(panels).enumerate() {
        let out = &mut out[..cells];
        if paired(round) { b.fill_pairs(index, 0..b.k(), out) } else { b.fill(index, 0..b.k(), out) }
    }
}

/// Whether a cell of operands in this format holds two values.
pub(crate) fn paired(round: Compute) -> bool {
    Kernel::of(round).depth == 2
}

/// Cells of a packed panel of a right operand with `k` rows.
pub(crate) fn panel_cells(k: usize, round: Compute) -> usize {
    Kernel::of(round).cells(k) * NR
}

/// `c (+)= a · b` with `panels` panels of [`NR`] columns; `c` has `stride` floats a row. Both were packed for the same format and inner
/// dimension; each panel of `b` starts `b_stride` cells after the one before.
pub(crate) struct BlockProduct<'a> {
    pub(crate) a: &'a LeftBlock,
    pub(crate) b: &'a [f32],
    pub(crate) b_stride: usize,
    pub(crate) panels: usize,
    pub(crate) add: bool,
}

impl BlockProduct<'_> {
    pub(crate) fn run(&self, c: &mut [f32], stride: usize) {
        let &Self { a: &LeftBlock { cells: ref a, kernel, rows, k }, b, b_stride, panels, add } = self;
        if rows == 0 || panels == 0 {
            return;
        }
        let left_panel = kernel.left_panel(k);
        assert!(
            a.len() >= rows.div_ceil(kernel.rows) * left_panel && b.len() >= (panels - 1) * b_stride + k * NR
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
                    let a = a.as_ptr().add(row / kernel.rows * left_panel);
                    tile(height, k, a, [first, second], c, stride, Store { add, round: false });
                }
            }
        }
    }
}
