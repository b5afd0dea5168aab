//! A product cut into tasks: operands are packed block by block, and tiles of the result are shared out among the threads.

use std::ops::Range;

use super::{
    BLOCK_FLOATS, Product, pack,
    tile::{Kernel, MOST_ROWS, NR, Store},
};
use crate::{
    Compute,
    compute::round_bf16,
    isa::vectorized,
    pool,
    scratch::{Buffer, scratch},
};

/// Rows a task keeps in its second-level cache.
const TASK_ROWS: usize = 192;

/// Where the result goes.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) c: *mut f32,
    /// From a row to the next.
    pub(super) stride: usize,
    /// What an element's place in the whole result is too far for `c`, where that is a part of it.
    pub(super) origin: usize,
    pub(super) add: bool,
}

#[allow(unsafe_code, reason = "tasks write to disjoint tiles of one matrix")]
// SAFETY: every task computes its own rows and columns of the target, see `Work::tile_column`.
unsafe impl Sync for Target {}

/// A product, and how it is computed.
pub(super) struct Work<'a> {
    pub(super) product: &'a Product<'a>,
    pub(super) target: Target,
    /// Products of a run.
    pub(super) kc: usize,
    pub(super) kernel: &'static Kernel,
    pub(super) parallel: bool,
}

impl Work<'_> {
    /// Packs `rows` of the left operand over `deep`, panel after panel.
    pub(super) fn pack_left(&self, rows: &Range<usize>, deep: &Range<usize>) -> Buffer {
        let run_cells = self.left_panel();
        let stride = deep.len().div_ceil(self.kc) * run_cells;
        let mut packed = scratch(rows.len().div_ceil(self.kernel.rows) * stride);
        let a = self.product.a.row_range(rows.clone());
        pool::parts(self.parallel, &mut packed, stride, |panel, out| {
            for (run, out) in runs(deep, self.kc).zip(out.chunks_mut(run_cells)) {
                let cells = self.kernel.left_panel(self.kernel.cells(run.len()));
                pack::pack_left(self.kernel, a, self.product.a_round, panel, run, &mut out[..cells]);
            }
        });
        packed
    }

    /// Cells of a packed panel of the left operand in a run.
    fn left_panel(&self) -> usize {
        self.kernel.left_panel(self.kernel.cells(self.kc))
    }

    pub(super) fn fill(&self, panel: usize, run: Range<usize>, out: &mut [f32]) {
        if self.kernel.right_depth == 2 {
            self.product.b.fill_pairs(panel, run, out);
        } else {
            self.product.b.fill(panel, run, out);
        }
    }

    /// A run of a panel that is stored as the kernel reads it.
    pub(super) fn stored(&self, panel: usize, run: &Range<usize>) -> Option<&[f32]> {
        let ready = self.product.b.ready(panel, self.kernel.right_depth)?;
        Some(&ready[self.kernel.right_cells(run.start) * NR..self.kernel.right_cells(run.end) * NR])
    }

    /// Few rows: each panel of `b` is packed once, by the task that uses it.
    pub(super) fn few_rows(&self, rows: Range<usize>, deep: Range<usize>) {
        let left = Left { packed: &self.pack_left(&rows, &deep), deep: &deep, rows: &rows };
        let panels = self.product.b.n().div_ceil(NR);
        let width = self.kernel.panels();
        let stored = self.product.b.ready(0, self.kernel.right_depth).is_some();
        pool::each(self.parallel, panels.div_ceil(width), |task| {
            let columns = task * width..((task + 1) * width).min(panels);
            let apart = self.kc * NR;
            let mut space = scratch(if stored { 0 } else { apart * width });
            for run in runs(&deep, self.kc) {
                let cells = self.kernel.right_cells(run.len()) * NR;
                for (panel, out) in columns.clone().zip(space.chunks_mut(apart)) {
                    self.fill(panel, run.clone(), &mut out[..cells]);
                }
                let mut rights: [&[f32]; 2] = [&[]; 2];
                for ((n, right), panel) in rights.iter_mut().enumerate().zip(columns.clone()) {
                    *right = self.stored(panel, &run).unwrap_or_else(|| &space[n * apart..n * apart + cells]);
                }
                self.tile_column(&left, run, 0..left.panels(self.kernel), &columns, rights);
            }
        });
    }

    /// Many rows: `b` is packed ahead, a block at a time, and shared by all tasks.
    pub(super) fn many_rows(&self, rows: Range<usize>, deep: Range<usize>) {
        let left = Left { packed: &self.pack_left(&rows, &deep), deep: &deep, rows: &rows };
        let b = self.product.b;
        let panels = b.n().div_ceil(NR);
        let stored = b.ready(0, self.kernel.right_depth).is_some();
        let stride = self.kernel.right_cells(deep.len()) * NR;
        let run_cells = self.kernel.right_cells(self.kc) * NR;
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
                    let from =
                        (panel - first) * stride + self.kernel.right_cells(run.start - deep.start) * NR;
                    &packed[from..from + self.kernel.right_cells(run.len()) * NR]
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
    pub(super) fn tile_column(
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
        let store = Store { add, round: done && kernel.rounds && self.product.round == Compute::Bf16 };
        let (cells, runs) = (kernel.right_cells(run.len()), left.deep.len().div_ceil(self.kc));
        assert!(rights[..panels.len()].iter().all(|right| right.len() >= cells * NR) && column < n);
        let rights = rights.map(<[f32]>::as_ptr);
        for row_panel in row_panels {
            let row = left.rows.start + row_panel * kernel.rows;
            let height = kernel.rows.min(left.rows.end - row);
            let from = (row_panel * runs + (run.start - left.deep.start) / self.kc) * self.left_panel();
            let a = &left.packed[from..from + kernel.left_panel(kernel.cells(run.len()))];
            assert!(row + height <= self.product.a.rows);
            let tile = kernel.tile(height, panels.len());
            #[allow(unsafe_code, reason = "the tile kernels take pointers")]
            // SAFETY: the panels hold the cells of the run (sliced and asserted above). The tile's rows and columns lie inside the
            // target's elements, and no other task has them; a narrow tile goes through `edge`.
            unsafe {
                let c = self.target.c.add(row * stride + column - self.target.origin);
                if width == panels.len() * NR {
                    tile(height, cells, a.as_ptr(), rights, c, stride, store);
                } else {
                    let mut edge = [0.0_f32; MOST_ROWS * 2 * NR];
                    if add {
                        for (r, row) in edge.chunks_mut(2 * NR).enumerate().take(height) {
                            std::ptr::copy_nonoverlapping(c.add(r * stride), row.as_mut_ptr(), width);
                        }
                    }
                    tile(height, cells, a.as_ptr(), rights, edge.as_mut_ptr(), 2 * NR, store);
                    for (r, row) in edge.chunks(2 * NR).enumerate().take(height) {
                        std::ptr::copy_nonoverlapping(row.as_ptr(), c.add(r * stride), width);
                    }
                }
                if done && !store.round {
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
pub(super) struct Left<'a> {
    pub(super) packed: &'a [f32],
    pub(super) deep: &'a Range<usize>,
    pub(super) rows: &'a Range<usize>,
}

impl Left<'_> {
    pub(super) fn panels(&self, kernel: &Kernel) -> usize {
        self.rows.len().div_ceil(kernel.rows)
    }
}

/// The runs of `k` inside `deep`, which starts at a multiple of `kc`.
pub(super) fn runs(deep: &Range<usize>, kc: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = deep.end;
    deep.clone().step_by(kc).map(move |from| from..(from + kc).min(end))
}
