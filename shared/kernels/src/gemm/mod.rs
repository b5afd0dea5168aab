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

use std::ops::Range;

pub(crate) use block::{BlockProduct, pack_columns, pack_panels, pack_rows, paired, panel_cells};
pub(crate) use pack::Strided;
pub(crate) use packed::{PackedWeight, TransposedPanels};
pub(crate) use tile::NR;
use tile::{Kernel, MOST_ROWS};

use crate::{
    Compute,
    compute::round_bf16,
    isa::vectorized,
    pool,
    scratch::{Buffer, scratch},
};

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
/// Rows a task keeps in its second-level cache.
const TASK_ROWS: usize = 192;
/// Products below which a second thread costs more than it helps.
const SMALL: usize = 1 << 17;

impl Product<'_> {
    /// The result, row-major.
    pub(crate) fn compute(&self) -> Vec<f32> {
        self.compute_by(Kernel::of(self.a_round))
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
        self.run(Kernel::of(self.a_round), target);
    }

    fn run(&self, kernel: &'static Kernel, target: Target) {
        assert_eq!(self.a.cols, self.b.k(), "inner dimensions");
        let (m, n, k) = (self.a.rows, self.b.n(), self.b.k());
        if m == 0 || n == 0 || k == 0 {
            return;
        }
        let kc = kernel.run(k);
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

/// Where the result goes.
#[derive(Clone, Copy)]
struct Target {
    c: *mut f32,
    /// From a row to the next.
    stride: usize,
    /// What an element's place in the whole result is too far for `c`, where that is a part of it.
    origin: usize,
    add: bool,
}

#[allow(unsafe_code, reason = "tasks write to disjoint tiles of one matrix")]
// SAFETY: every task computes its own rows and columns of the target, see `Work::tile_block`.
unsafe impl Sync for Target {}

struct Work<'a> {
    product: &'a Product<'a>,
    target: Target,
    kc: usize,
    kernel: &'static Kernel,
    parallel: bool,
}

impl Work<'_> {
    /// Packs `rows` of the left operand over `deep`, panel after panel.
    fn pack_left(&self, rows: &Range<usize>, deep: &Range<usize>) -> Buffer {
        let stride = self.kernel.cells(deep.len()) * self.kernel.rows;
        let mut packed = scratch(rows.len().div_ceil(self.kernel.rows) * stride);
        let a = self.product.a.row_range(rows.clone());
        let run_cells = self.kernel.cells(self.kc) * self.kernel.rows;
        pool::parts(self.parallel, &mut packed, stride, |panel, out| {
            for (run, out) in runs(deep, self.kc).zip(out.chunks_mut(run_cells)) {
                pack::pack_left(self.kernel, a, self.product.a_round, panel, run, out);
            }
        });
        packed
    }

    fn fill(&self, panel: usize, run: Range<usize>, out: &mut [f32]) {
        if self.kernel.depth == 2 {
            self.product.b.fill_pairs(panel, run, out);
        } else {
            self.product.b.fill(panel, run, out);
        }
    }

    /// A run of a panel that is stored as the kernel reads it.
    fn stored(&self, panel: usize, run: &Range<usize>) -> Option<&[f32]> {
        let ready = self.product.b.ready(panel, self.kernel.depth)?;
        Some(&ready[self.kernel.cells(run.start) * NR..self.kernel.cells(run.end) * NR])
    }

    /// Few rows: each panel of `b` is packed once, by the task that uses it.
    fn few_rows(&self, rows: Range<usize>, deep: Range<usize>) {
        let left = Left { packed: &self.pack_left(&rows, &deep), deep: &deep, rows: &rows };
        let panels = self.product.b.n().div_ceil(NR);
        let width = self.kernel.panels();
        pool::each(self.parallel, panels.div_ceil(width), |task| {
            let columns = task * width..((task + 1) * width).min(panels);
            let mut space = scratch(self.kc * NR * width);
            for run in runs(&deep, self.kc) {
                let cells = self.kernel.cells(run.len()) * NR;
                let mut rights: [&[f32]; 2] = [&[]; 2];
                for ((right, panel), space) in
                    rights.iter_mut().zip(columns.clone()).zip(space.chunks_mut(self.kc * NR))
                {
                    *right = if let Some(stored) = self.stored(panel, &run) {
                        stored
                    } else {
                        self.fill(panel, run.clone(), &mut space[..cells]);
                        &space[..cells]
                    };
                }
                self.tile_column(&left, run, 0..left.panels(self.kernel), &columns, rights);
            }
        });
    }

    /// Many rows: `b` is packed ahead, a block at a time, and shared by all tasks.
    fn many_rows(&self, rows: Range<usize>, deep: Range<usize>) {
        let left = Left { packed: &self.pack_left(&rows, &deep), deep: &deep, rows: &rows };
        let b = self.product.b;
        let panels = b.n().div_ceil(NR);
        let stored = b.ready(0, self.kernel.depth).is_some();
        let stride = self.kernel.cells(deep.len()) * NR;
        let run_cells = self.kernel.cells(self.kc) * NR;
        let width = if stored {
            panels
        } else {
            (BLOCK_FLOATS / stride).max(1).next_multiple_of(self.kernel.panels())
        };
        for first in (0..panels).step_by(width) {
            let columns = first..(first + width).min(panels);
            let mut packed = scratch(if stored { 0 } else { columns.len() * stride });
            pool::parts(self.parallel, &mut packed, stride, |panel, out| {
                for (run, out) in runs(&deep, self.kc).zip(out.chunks_mut(run_cells)) {
                    self.fill(first + panel, run, out);
                }
            });
            let right = |panel: usize, run: &Range<usize>| {
                self.stored(panel, run).unwrap_or_else(|| {
                    let from = (panel - first) * stride + self.kernel.cells(run.start - deep.start) * NR;
                    &packed[from..from + self.kernel.cells(run.len()) * NR]
                })
            };
            self.grid(&left, columns, &right);
        }
    }

    /// Cuts rows and columns into tasks.
    fn grid<'b>(
        &self,
        left: &Left,
        columns: Range<usize>,
        right: &(dyn Fn(usize, &Range<usize>) -> &'b [f32] + Sync),
    ) {
        let row_panels = left.panels(self.kernel);
        let step = self.kernel.panels();
        let tall = row_panels.div_ceil(row_panels.div_ceil(TASK_ROWS / self.kernel.rows));
        let down = row_panels.div_ceil(tall);
        let wide = (columns.len() * down).div_ceil(pool::threads() * 16).clamp(2, 24).next_multiple_of(step);
        let across = columns.len().div_ceil(wide);
        pool::each(self.parallel, down * across, |task| {
            let (i, j) = (task / across, task % across);
            let row_panels = i * tall..((i + 1) * tall).min(row_panels);
            let from = columns.start + j * wide;
            let columns = from..(from + wide).min(columns.end);
            for run in runs(left.deep, self.kc) {
                for panel in columns.clone().step_by(step) {
                    let panels = panel..(panel + step).min(columns.end);
                    let second = if panels.len() == 2 { right(panel + 1, &run) } else { &[] };
                    let rights = [right(panel, &run), second];
                    self.tile_column(left, run.clone(), row_panels.clone(), &panels, rights);
                }
            }
        });
    }

    /// One or two neighbouring panels of `b` against some row panels, over one run of `k`.
    fn tile_column(
        &self,
        left: &Left,
        run: Range<usize>,
        row_panels: Range<usize>,
        panels: &Range<usize>,
        rights: [&[f32]; 2],
    ) {
        let (n, stride, kernel) = (self.product.b.n(), self.target.stride, self.kernel);
        let column = panels.start * NR;
        let width = (panels.len() * NR).min(n - column);
        let add = self.target.add || run.start > 0;
        let done = run.end == self.product.b.k();
        let (cells, deep_cells) = (kernel.cells(run.len()), kernel.cells(left.deep.len()));
        assert!(rights[..panels.len()].iter().all(|right| right.len() >= cells * NR) && column < n);
        let rights = rights.map(<[f32]>::as_ptr);
        for row_panel in row_panels {
            let row = left.rows.start + row_panel * kernel.rows;
            let height = kernel.rows.min(left.rows.end - row);
            let from = (row_panel * deep_cells + kernel.cells(run.start - left.deep.start)) * kernel.rows;
            let a = &left.packed[from..from + cells * kernel.rows];
            assert!(row + height <= self.product.a.rows);
            let tile = kernel.tile(height, panels.len());
            #[allow(unsafe_code, reason = "the tile kernels take pointers")]
            // SAFETY: the panels hold `cells` groups (sliced and asserted above). The tile's rows and columns lie inside the
            // target's elements, and no other task has them; a narrow tile goes through `edge`.
            unsafe {
                let c = self.target.c.add(row * stride + column - self.target.origin);
                if width == panels.len() * NR {
                    tile(height, cells, a.as_ptr(), rights, c, stride, add);
                } else {
                    let mut edge = [0.0_f32; MOST_ROWS * 2 * NR];
                    if add {
                        for (r, row) in edge.chunks_mut(2 * NR).enumerate().take(height) {
                            std::ptr::copy_nonoverlapping(c.add(r * stride), row.as_mut_ptr(), width);
                        }
                    }
                    tile(height, cells, a.as_ptr(), rights, edge.as_mut_ptr(), 2 * NR, add);
                    for (r, row) in edge.chunks(2 * NR).enumerate().take(height) {
                        std::ptr::copy_nonoverlapping(row.as_ptr(), c.add(r * stride), width);
                    }
                }
                if done {
                    Finished { c, stride, height, width }.round(self.product.round);
                }
            }
        }
    }
}

/// A finished tile in the target.
struct Finished {
    c: *mut f32,
    stride: usize,
    height: usize,
    width: usize,
}

impl Finished {
    /// Rounds it while it is in the first cache.
    fn round(self, compute: Compute) {
        match compute {
            Compute::F32 => {}
            Compute::Bf16 => round_bf16_rows(self),
            Compute::F16 => (0..self.height).for_each(|r| compute.round_slice(self.row(r))),
        }
    }

    #[allow(unsafe_code, reason = "a row of the tile as a slice")]
    #[allow(clippy::mut_from_ref, reason = "the tile is its task's own")]
    fn row(&self, r: usize) -> &mut [f32] {
        // SAFETY: whoever made this guarantees rows of finished sums that no other task has; they are looked at one by one.
        unsafe { std::slice::from_raw_parts_mut(self.c.add(r * self.stride), self.width) }
    }
}

vectorized! {
    fn round_bf16_rows(tile: Finished) {
        for r in 0..tile.height {
            for x in tile.row(r) {
                *x = round_bf16(*x);
            }
        }
    }
}

/// Packed rows of the left operand: `rows` of the result, `deep` of the inner dimension.
struct Left<'a> {
    packed: &'a [f32],
    deep: &'a Range<usize>,
    rows: &'a Range<usize>,
}

impl Left<'_> {
    fn panels(&self, kernel: &Kernel) -> usize {
        self.rows.len().div_ceil(kernel.rows)
    }
}

/// The runs of `k` inside `deep`, which starts at a multiple of `kc`.
fn runs(deep: &Range<usize>, kc: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = deep.end;
    deep.clone().step_by(kc).map(move |from| from..(from + kc).min(end))
}

#[cfg(test)]
mod tests;
