//! The innermost product: a few rows by one or two panels of columns, whose sums stay in registers.
//!
//! Every sum starts at 0 and adds its products in the order of `k`, so a row's bits depend neither on its neighbours nor on
//! the tile it falls into.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod plain;

#[cfg(target_arch = "x86_64")]
use avx2::{avx2, avx2_pairs};
#[cfg(target_arch = "x86_64")]
use avx512::{avx512, pairs};
use plain::plain;
#[cfg(test)]
use plain::plain_pairs;

use super::amx;
use crate::{
    Compute,
    isa::{Isa, isa},
};

/// Columns of a packed panel of `b`.
pub(crate) const NR: usize = 16;
/// Rows of a packed panel of `a`, at most.
pub(crate) const MOST_ROWS: usize = amx::ROWS;

/// How many groups of `b` before it is used a group is fetched into the first cache: tiles of few rows wait for memory more than they
/// compute, the others have it in the second cache.
const fn ahead(rows: usize) -> usize {
    if rows <= 6 { 48 } else { 12 }
}

/// `c (+)= a · b` for one tile of so many rows and `W` panels.
///
/// Callers guarantee: `a` holds a panel of `k` times the kernel's `rows` cells, each of `b`'s first `W` panels `k` groups of [`NR`]
/// cells, and `c` has a row of `W · NR` floats at each of the tile's row offsets `0, ldc, 2·ldc, …`.
pub(super) type Tile =
    unsafe fn(rows: usize, k: usize, a: *const f32, b: [*const f32; 2], c: *mut f32, ldc: usize, add: bool);

/// How the cells of a packed panel of `a` lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[k][rows]`.
    Groups,
    /// `[k / 16][rows][16]`, the last block as narrow as what is left of `k`.
    Blocks,
}

/// How one instruction set multiplies packed panels of cells.
///
/// A cell has the size of an f32 and holds [`Self::depth`] consecutive values of `k`: one f32, or two bf16 (the first in the
/// low half).
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Rows of a packed panel of `a`.
    pub(crate) rows: usize,
    /// Values of `k` in a cell: 1 (f32) or 2 (bf16).
    pub(crate) depth: usize,
    /// Of a packed panel of `a`.
    pub(super) layout: Layout,
    /// The longest run of products that is summed in registers: the panels of a run stay in the first caches.
    longest_run: usize,
    /// What gives the same bits from cells of two bf16: for few rows, reading a weight as it is stored costs less than widening it first.
    pub(super) few_rows: Option<&'static Self>,
    /// By panels - 1 and rows - 1.
    tiles: &'static [&'static [Tile]],
}

impl Kernel {
    /// The kernel for operands of this format in the instruction set in use.
    pub(crate) fn of(operands: Compute) -> &'static Self {
        Self::of_isa(isa(), operands)
    }

    /// The same for an instruction set that the processor must have.
    pub(super) fn of_isa(isa: Isa, operands: Compute) -> &'static Self {
        match (isa, operands) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Amx, Compute::Bf16) => &AMX,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, Compute::Bf16) => &AVX512_PAIRS,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Amx, _) => &AVX512,
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, _) => &AVX2,
            _ => &PLAIN,
        }
    }

    /// Panels of `b` that the widest tile takes at once.
    pub(crate) fn panels(&self) -> usize {
        self.tiles.len()
    }

    /// Cells that hold `k` values.
    pub(crate) fn cells(&self, k: usize) -> usize {
        k.div_ceil(self.depth)
    }

    /// Products summed in registers before the sums are written: fixed by `k` alone, a multiple of 16.
    pub(crate) fn run(&self, k: usize) -> usize {
        k.div_ceil(k.div_ceil(self.longest_run).max(1)).next_multiple_of(16)
    }

    /// The tile of so many rows and panels.
    pub(super) fn tile(&self, rows: usize, panels: usize) -> Tile {
        self.tiles[panels - 1][rows - 1]
    }
}

/// The tiles of one width.
macro_rules! rows {
    ($tile:ident, $width:literal: $($rows:literal)+) => {
        &[$($tile::<$rows, $width>),+]
    };
}

static PLAIN: Kernel = Kernel {
    rows: 6,
    depth: 1,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: None,
    tiles: &[rows!(plain, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
static AVX2: Kernel = Kernel {
    rows: 6,
    depth: 1,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: Some(&AVX2_PAIRS),
    tiles: &[rows!(avx2, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
static AVX2_PAIRS: Kernel = Kernel {
    rows: 6,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: None,
    tiles: &[rows!(avx2_pairs, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
static AVX512: Kernel = Kernel {
    rows: 12,
    depth: 1,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: None,
    tiles: &[rows!(avx512, 1: 1 2 3 4 5 6 7 8 9 10 11 12), rows!(avx512, 2: 1 2 3 4 5 6 7 8 9 10 11 12)],
};
#[cfg(target_arch = "x86_64")]
static AVX512_PAIRS: Kernel = Kernel {
    rows: 12,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: None,
    tiles: &[rows!(pairs, 1: 1 2 3 4 5 6 7 8 9 10 11 12), rows!(pairs, 2: 1 2 3 4 5 6 7 8 9 10 11 12)],
};
#[cfg(target_arch = "x86_64")]
static AMX: Kernel = Kernel {
    rows: amx::ROWS,
    depth: 2,
    layout: Layout::Blocks,
    longest_run: 768,
    few_rows: None,
    tiles: &[&[amx::tile::<1> as Tile; amx::ROWS], &[amx::tile::<2> as Tile; amx::ROWS]],
};

/// Pairs without the instructions for them: what carries cells of two bf16 is tested on every machine.
#[cfg(test)]
pub(super) static PLAIN_PAIRS: Kernel = Kernel {
    rows: 12,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    few_rows: None,
    tiles: &[
        rows!(plain_pairs, 1: 1 2 3 4 5 6 7 8 9 10 11 12),
        rows!(plain_pairs, 2: 1 2 3 4 5 6 7 8 9 10 11 12),
    ],
};
