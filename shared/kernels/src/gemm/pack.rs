//! Copying strided matrices into the panels the tile kernel reads.

use std::ops::Range;

use super::{
    Matrix, Panels, amx,
    tile::{Kernel, Layout, NR},
};
use crate::{
    Compute,
    bf16_cells::{cell, join_neighbours},
    isa::vectorized,
    scratch::scratch,
};

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

    fn fill_pairs(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        let from = panel * NR;
        let width = NR.min(self.matrix.cols - from);
        pack_pairs::<NR>(self.matrix.t(), from, width, k, out);
    }
}

/// Packs rows `from..from + height` of `a` (height at most `W`), columns `k`, as groups of `W` floats per column; missing
/// rows are 0.
pub(super) fn pack<const W: usize>(a: Matrix, from: usize, height: usize, k: Range<usize>, out: &mut [f32]) {
    debug_assert_eq!(out.len(), k.len() * W);
    if height < W {
        out.fill(0.0);
    }
    if a.row_stride == 1 && height == W {
        for (group, k) in out.as_chunks_mut::<W>().0.iter_mut().zip(k) {
            *group = *column(a, from, k);
        }
    } else if a.row_stride == 1 {
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

/// `W` rows of column `k`, for a matrix whose columns lie in one piece.
fn column<const W: usize>(a: Matrix<'_>, from: usize, k: usize) -> &[f32; W] {
    a.data[k * a.col_stride + from..].first_chunk().expect("the panel is whole")
}

/// [`pack`] in cells of two bf16, rounded; `k` starts at an even column.
pub(super) fn pack_pairs<const W: usize>(
    a: Matrix,
    from: usize,
    height: usize,
    k: Range<usize>,
    out: &mut [f32],
) {
    debug_assert_eq!(out.len(), k.len().div_ceil(2) * W);
    if a.row_stride == 1 && height == W {
        join_columns::<W>(a, from, k, out);
    } else if a.col_stride == 1 {
        let cells = k.len().div_ceil(2);
        let mut rows = scratch(height * cells);
        for (r, row) in rows.chunks_mut(cells).enumerate() {
            join_neighbours(&a.data[(from + r) * a.row_stride..][k.clone()], row);
        }
        if height < W {
            out.fill(0.0);
        }
        transpose_rows::<W>(height, |r| &rows[r * cells..][..cells], out);
    } else {
        let mut singles = scratch(k.len() * W);
        pack::<W>(a, from, height, k, &mut singles);
        pair_up(&singles, W, out);
    }
}

/// Packs panel `panel` of the left operand as the kernel reads it, rounded. What the panel has no rows for is not written in
/// [`Layout::Rows`], and 0 in the others.
pub(super) fn pack_left(
    kernel: &Kernel,
    a: Matrix,
    round: Compute,
    panel: usize,
    k: Range<usize>,
    out: &mut [f32],
) {
    let from = panel * kernel.rows;
    let height = kernel.rows.min(a.rows - from);
    let row = |r: usize| &a.data[(from + r) * a.row_stride..][k.clone()];
    match (kernel.layout, kernel.depth) {
        (Layout::Rows(apart), depth) => {
            assert!(a.col_stride == 1, "rows in one piece");
            for (r, out) in out.chunks_mut(apart).enumerate().take(height) {
                let out = &mut out[..kernel.cells(k.len())];
                if depth == 2 {
                    join_neighbours(row(r), out);
                } else {
                    let (out, beyond) = out.split_at_mut(k.len());
                    out.copy_from_slice(row(r));
                    round.round_slice(out);
                    beyond.fill(0.0);
                }
            }
        }
        (_, 1) => {
            let (out, beyond) = out.split_at_mut(k.len() * kernel.rows);
            beyond.fill(0.0);
            match kernel.rows {
                12 => pack::<12>(a, from, height, k, out),
                _ => pack::<6>(a, from, height, k, out),
            }
            round.round_slice(out);
        }
        (Layout::Groups, _) if kernel.rows == 6 => pack_pairs::<6>(a, from, height, k, out),
        (Layout::Groups, _) => pack_pairs::<12>(a, from, height, k, out),
        (Layout::Blocks, _) if a.col_stride == 1 => amx::pack_rows(height, row, out),
        (Layout::Blocks, _) => {
            let mut groups = scratch(out.len());
            pack_pairs::<{ amx::ROWS }>(a, from, height, k, &mut groups);
            block_up(&groups, out);
        }
    }
}

/// Groups of [`amx::ROWS`] cells as blocks of rows ([`Layout::Blocks`]).
fn block_up(groups: &[f32], out: &mut [f32]) {
    const BLOCK: usize = NR * amx::ROWS;
    for (groups, out) in groups.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let group = |n: usize| &groups[n * amx::ROWS..][..amx::ROWS];
        if out.len() == BLOCK {
            transpose_rows::<NR>(NR, group, out);
        } else {
            let width = out.len() / amx::ROWS;
            for (r, row) in out.chunks_mut(width).enumerate() {
                for (n, cell) in row.iter_mut().enumerate() {
                    *cell = group(n)[r];
                }
            }
        }
    }
}

vectorized! {
    /// Joins groups of `width` f32 two by two: a cell holds the first group's value as bf16 in its low half, the second's in its
    /// high half. A last group without a partner is joined with 0.
    pub(super) fn pair_up(singles: &[f32], width: usize, out: &mut [f32]) {
        for (two, out) in singles.chunks(2 * width).zip(out.chunks_exact_mut(width)) {
            let (low, high) = two.split_at(width);
            if high.is_empty() {
                for (out, &low) in out.iter_mut().zip(low) {
                    *out = cell(low, 0.0);
                }
            } else {
                for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
                    *out = cell(low, high);
                }
            }
        }
    }
}

vectorized! {
    /// Cells of `W` rows of columns `k`, two columns a cell; columns lie in one piece. A last one without a partner is joined with 0.
    fn join_columns<const W: usize>(a: Matrix, from: usize, k: Range<usize>, out: &mut [f32]) {
        for (out, first) in out.as_chunks_mut::<W>().0.iter_mut().zip(k.clone().step_by(2)) {
            let zeros = [0.0; W];
            let low = column::<W>(a, from, first);
            let high = if first + 1 < k.end { column::<W>(a, from, first + 1) } else { &zeros };
            for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
                *out = cell(low, high);
            }
        }
    }
}

/// `out[k][r] = row(r)[k]` for `r < height <= W`.
fn transpose_rows<'a, const W: usize>(height: usize, row: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if crate::isa::isa() >= crate::isa::Isa::Avx2 {
        done = out.len() / W / 8 * 8;
        // The last lanes first: what they write behind a group belongs to the first lanes of the next.
        for first in (0..W).step_by(8).rev() {
            let zeros = [0.0_f32; 8];
            let rows: [&[f32]; 8] =
                std::array::from_fn(|r| if first + r < height { row(first + r) } else { &zeros[..] });
            let real = height.saturating_sub(first).min(8);
            if real > 0 {
                let lanes = (real, 8.min(W - first));
                super::transpose::interleave(rows, lanes, done, &mut out[first..], W);
            }
        }
    }
    for r in 0..height {
        for (k, &x) in row(r).iter().enumerate().skip(done) {
            out[k * W + r] = x;
        }
    }
}
