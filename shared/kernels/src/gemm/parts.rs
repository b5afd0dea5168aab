//! A product whose result is read part by part and never exists as a whole.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    BLOCK_FLOATS, Product, SMALL,
    tile::{Kernel, NR},
    work::{Left, Target, Work, runs},
};
use crate::{pool::in_pool, scratch::scratch};

/// Rows of a part: with its columns it stays in the second cache, beside the columns of the right operand.
const ROWS: usize = 64;

impl Product<'_> {
    /// What `read(row, columns, values)` answers for every row of every part of `width` columns (a multiple of two panels), by part and
    /// row; the values are rounded, and those of [`Self::compute`].
    pub(crate) fn read_parts<T: Send>(
        &self,
        width: usize,
        read: impl Fn(usize, Range<usize>, &[f32]) -> T + Sync,
    ) -> Vec<Vec<T>> {
        let (m, n, k) = (self.a.rows, self.b.n(), self.b.k());
        assert!(
            self.a.cols == k && k > 0 && width.is_multiple_of(2 * NR),
            "a product of {k} and {}",
            self.a.cols
        );
        let kernel = self.suited(Kernel::of(self.a_round));
        let kc = kernel.run(k);
        let kernel = kernel.reading(self.a, kernel.cells(kc));
        let height = (BLOCK_FLOATS / k / kernel.rows).max(1) * kernel.rows;
        let target = Target { c: std::ptr::null_mut(), stride: width, origin: 0, add: false };
        let work = Work { product: self, target, kc, kernel, parallel: m * n * k >= SMALL };
        let mut answers: Vec<Vec<T>> = Vec::new();
        answers.resize_with(n.div_ceil(width), || Vec::with_capacity(m));
        for row in (0..m).step_by(height) {
            let rows = row..(row + height).min(m);
            let left = Left { packed: &work.pack_left(&rows, &(0..k)), deep: &(0..k), rows: &rows };
            let part = |part: usize, answers: &mut Vec<T>| {
                work.part(&left, part * width..((part + 1) * width).min(n), |row, columns, values| {
                    answers.push(read(row, columns, values));
                });
            };
            if work.parallel {
                in_pool(|| answers.par_iter_mut().enumerate().for_each(|(n, answers)| part(n, answers)));
            } else {
                answers.iter_mut().enumerate().for_each(|(n, answers)| part(n, answers));
            }
        }
        answers
    }
}

impl Work<'_> {
    /// All rows of some columns; the target's stride is their number, or greater.
    fn part(&self, left: &Left, columns: Range<usize>, mut read: impl FnMut(usize, Range<usize>, &[f32])) {
        let panels = columns.start / NR..columns.end.div_ceil(NR);
        let (stride, kernel) = (self.target.stride, self.kernel);
        let cells = kernel.right_cells(left.deep.len()) * NR;
        let stored = self.product.b.ready(panels.start, kernel.right_depth).is_some();
        let mut packed = scratch(if stored { 0 } else { panels.len() * cells });
        if !stored {
            let run_cells = kernel.right_cells(self.kc) * NR;
            for (panel, out) in panels.clone().zip(packed.chunks_mut(cells)) {
                for (run, out) in runs(left.deep, self.kc).zip(out.chunks_mut(run_cells)) {
                    self.fill(panel, run, out);
                }
            }
        }
        let right = |panel: usize, run: &Range<usize>| {
            self.stored(panel, run).unwrap_or_else(|| {
                let from = (panel - panels.start) * cells + kernel.right_cells(run.start) * NR;
                &packed[from..from + kernel.right_cells(run.len()) * NR]
            })
        };
        let mut block = scratch(ROWS.next_multiple_of(kernel.rows) * stride);
        let step = (ROWS / kernel.rows).max(1);
        for first in (0..left.panels(kernel)).step_by(step) {
            let row_panels = first..(first + step).min(left.panels(kernel));
            let from = left.rows.start + first * kernel.rows;
            let target =
                Target { c: block.as_mut_ptr(), origin: from * stride + columns.start, ..self.target };
            let work = Work { target, ..*self };
            for panel in panels.clone().step_by(kernel.panels()) {
                let tile = panel..(panel + kernel.panels()).min(panels.end);
                for run in runs(left.deep, self.kc) {
                    let second = if tile.len() == 2 { right(panel + 1, &run) } else { &[] };
                    work.tile_column(
                        left,
                        run.clone(),
                        row_panels.clone(),
                        &tile,
                        [right(panel, &run), second],
                    );
                }
            }
            let rows = from..(from + row_panels.len() * kernel.rows).min(left.rows.end);
            for (row, values) in rows.zip(block.chunks(stride)) {
                read(row, columns.clone(), &values[..columns.len()]);
            }
        }
    }
}
