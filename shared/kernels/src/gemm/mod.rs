//! Matrix products `c = a · b` with f32 sums, inputs and output rounded to a [`Compute`] format.
//!
//! The order of every sum is fixed by `k` alone: runs of [`Kernel::run`] products, each summed from 0 in the order of `k`
//! (one fused multiply-add a product where the processor has it; bf16 operands two products at a time where it has AVX-512's
//! bf16 products), added up in the order of the runs. AMX takes bf16 operands 32 products at a time, the even and the odd ones
//! apart, and carries on from the run before. Neither the number of rows nor the number of threads, nor how the work is cut
//! into tiles, changes a bit.

mod amx;
mod block;
mod pack;
mod packed;
mod parts;
mod tile;
mod transpose;
mod work;

use std::ops::Range;

pub(crate) use block::{BlockProduct, LeftBlock, pack_columns, pack_panels, paired, panel_cells};
pub(crate) use pack::Strided;
pub(crate) use packed::{PackedWeight, TransposedPanels};
use tile::Kernel;
pub(crate) use tile::NR;
use work::{Target, Work};

use crate::{Compute, scratch::scratch};

/// A read-only matrix with strides in elements.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Some of the rows.
    pub(crate) fn row_range(self, range: Range<usize>) -> Self {
        let data = &self.data[(range.start * self.row_stride).min(self.data.len())..];
        Self { data, rows: range.len(), ..self }
    }
}

/// A right operand `[k, n]` that can be had as panels of [`NR`] columns.
pub(crate) trait Panels: Sync {
    /// Rows.
    fn k(&self) -> usize;

    /// Columns.
    fn n(&self) -> usize;

    /// Writes rows `k` of a panel as groups of [`NR`] floats, missing columns as 0.
    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]);

    /// The same rows, from an even one on, as cells of two bf16.
    fn fill_pairs(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        fill_then_pair(self, panel, k, out);
    }

    /// The whole panel in cells of `depth` values, when it is stored that way.
    fn ready(&self, _panel: usize, _depth: usize) -> Option<&[f32]> {
        None
    }
}

fn fill_then_pair(panels: &(impl Panels + ?Sized), panel: usize, k: Range<usize>, out: &mut [f32]) {
    let mut singles = scratch(k.len() * NR);
    panels.fill(panel, k, &mut singles);
    pack::pair_up(&singles, NR, out);
}

/// A product to be computed.
pub(crate) struct Product<'a> {
    /// The left operand.
    pub(crate) a: Matrix<'a>,
    /// What the left operand is rounded to; the right one has been.
    pub(crate) a_round: Compute,
    /// The right operand.
    pub(crate) b: &'a dyn Panels,
    /// What the result is rounded to.
    pub(crate) round: Compute,
}

/// Floats of a packed block of either operand, at most.
const BLOCK_FLOATS: usize = 1 << 20;
/// Up to so many rows, the right operand is not packed ahead but panel by panel where it is used.
const FEW_ROWS: usize = 48;
/// Products below which a second thread costs more than it helps.
const SMALL: usize = 1 << 17;

impl Product<'_> {
    /// The result, row-major.
    pub(crate) fn compute(&self) -> Vec<f32> {
        self.compute_by(self.suited(Kernel::of(self.a_round)))
    }

    fn compute_by(&self, kernel: &'static Kernel) -> Vec<f32> {
        let len = self.a.rows * self.b.n();
        if self.b.k() == 0 {
            return vec![0.0; len];
        }
        let mut c: Vec<f32> = Vec::with_capacity(len);
        self.run(kernel, Target { c: c.as_mut_ptr(), stride: self.b.n(), origin: 0, add: false });
        #[allow(unsafe_code, reason = "the kernel has written what a zeroing pass would only write twice")]
        // SAFETY: `run` writes every one of the `rows · n` elements when it does not add.
        unsafe {
            c.set_len(len);
        }
        c
    }

    /// Adds the result to `c`.
    pub(crate) fn add_to(&self, c: &mut [f32]) {
        assert_eq!(c.len(), self.a.rows * self.b.n());
        let target = Target { c: c.as_mut_ptr(), stride: self.b.n(), origin: 0, add: true };
        self.run(self.suited(Kernel::of(self.a_round)), target);
    }

    /// The kernel to use where `kernel` is the one of the operands' format.
    fn suited(&self, kernel: &'static Kernel) -> &'static Kernel {
        kernel.widening.filter(|widening| self.b.ready(0, widening.right_depth).is_some()).unwrap_or(kernel)
    }

    fn run(&self, kernel: &'static Kernel, target: Target) {
        assert_eq!(self.a.cols, self.b.k(), "inner dimensions");
        let (m, n, k) = (self.a.rows, self.b.n(), self.b.k());
        if m == 0 || n == 0 || k == 0 {
            return;
        }
        let kc = kernel.run(k);
        let kernel = kernel.reading(self.a, kernel.cells(kc));
        let depth = if m <= FEW_ROWS { BLOCK_FLOATS / m.next_multiple_of(kernel.rows) } else { 4 * kc };
        let depth = (depth / kc).max(1) * kc;
        let height = (BLOCK_FLOATS / depth.min(k) / kernel.rows).max(1) * kernel.rows;
        let work = Work { product: self, target, kc, kernel, parallel: m * n * k >= SMALL };
        for k_from in (0..k).step_by(depth) {
            let deep = k_from..(k_from + depth).min(k);
            for row in (0..m).step_by(height) {
                let rows = row..(row + height).min(m);
                if m <= FEW_ROWS {
                    work.few_rows(rows, deep.clone());
                } else {
                    work.many_rows(rows, deep.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
