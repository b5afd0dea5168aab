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
use avx2::{avx2, avx2_widening};
#[cfg(target_arch = "x86_64")]
use avx512::{avx512, avx512_widening, pairs};
#[cfg(test)]
use plain::plain_pairs;
use plain::{plain, plain_widening};

use super::{Matrix, amx};
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
    if rows <= 6 { 48 } else { 32 }
}

/// Where cell `n` of row `r` of a packed panel of `a` is: `S` is how far its rows lie apart, 0 for groups of `ROWS` ([`Layout`]).
#[inline(always)]
#[allow(clippy::inline_always, reason = "an address of the innermost loop")]
const fn place<const S: usize, const ROWS: usize>(n: usize, r: usize) -> usize {
    if S == 0 { n * ROWS + r } else { r * S + n }
}

/// `c (+)= a · b` for one tile of so many rows and `W` panels; the sums go where `store` says.
///
/// Callers guarantee: each of `b`'s first `W` panels holds `k` groups of [`NR`] cells, `a` a panel with as many values of each of the
/// tile's rows as `k` such cells have, in the kernel's layout, and `c` has a row of `W · NR` floats at each of the tile's row offsets `0, ldc, 2·ldc, …`.
pub(super) type Tile = unsafe fn(
    rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    store: Store,
);

/// What becomes of a tile's sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    /// They are added to what is there.
    pub(super) add: bool,
    /// Then rounded to bf16, where the kernel [rounds](Kernel::rounds); denormals become 0.
    pub(super) round: bool,
}

/// How the cells of a packed panel of `a` lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[rows][S]`, of which the first `k` cells are there: rows of a matrix as they lie in it.
    Rows(usize),
    /// `[k][rows]`: columns of a matrix as they lie in it.
    Groups,
    /// `[k / 16][rows][16]`, the last block as narrow as what is left of `k`.
    Blocks,
}

/// How one instruction set multiplies packed panels of cells.
///
/// A cell has the size of an f32 and holds one or two consecutive values of `k`: one f32, or two bf16 (the first in the low half).
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Rows of a packed panel of `a`.
    pub(crate) rows: usize,
    /// Values of `k` in a cell of `a`: 1 (f32) or 2 (bf16).
    pub(crate) depth: usize,
    /// The same of `b`; no fewer.
    pub(crate) right_depth: usize,
    /// Of a packed panel of `a`.
    pub(super) layout: Layout,
    /// The longest run of products that is summed in registers: the panels of a run stay in the first caches.
    longest_run: usize,
    /// Whether its tiles round what they store.
    pub(super) rounds: bool,
    /// What gives the same bits where `b` has cells of two bf16 and this wants f32: a stored weight is read as it is.
    pub(super) widening: Option<&'static Self>,
    /// The same with [`Layout::Groups`], where this has [`Layout::Rows`].
    pub(super) grouped: Option<&'static Self>,
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

    /// Cells of `a` that hold `k` values, and what a last cell of `b` has beyond them.
    pub(crate) fn cells(&self, k: usize) -> usize {
        self.right_cells(k) * (self.right_depth / self.depth)
    }

    /// Cells of `b` that hold `k` values.
    pub(crate) fn right_cells(&self, k: usize) -> usize {
        k.div_ceil(self.right_depth)
    }

    /// Products summed in registers before the sums are written: fixed by `k` alone, a multiple of 16.
    pub(crate) fn run(&self, k: usize) -> usize {
        k.div_ceil(k.div_ceil(self.longest_run).max(1)).next_multiple_of(16)
    }

    /// The kernel with the layout that suits a left operand with so many cells in a run: rows where its rows lie in one piece.
    pub(super) fn reading(&'static self, a: Matrix, cells: usize) -> &'static Self {
        match self.layout {
            Layout::Rows(apart) if a.col_stride != 1 || cells > apart => self.grouped.unwrap_or(self),
            _ => self,
        }
    }

    /// Cells of a packed panel of `a`, at most so many of a run.
    pub(super) fn left_panel(&self, cells: usize) -> usize {
        match self.layout {
            Layout::Rows(apart) => self.rows * apart,
            Layout::Groups | Layout::Blocks => self.rows * cells,
        }
    }

    /// The tile of so many rows and panels.
    pub(super) fn tile(&self, rows: usize, panels: usize) -> Tile {
        self.tiles[panels - 1][rows - 1]
    }
}

/// The tiles of one width, with the rows of `a` so far apart.
macro_rules! rows {
    ($tile:ident, $width:literal, $apart:expr, 6) => {
        rows!(@ $tile, $width, $apart; 1 2 3 4 5 6)
    };
    ($tile:ident, $width:literal, $apart:expr, 12) => {
        rows!(@ $tile, $width, $apart; 1 2 3 4 5 6 7 8 9 10 11 12)
    };
    (@ $tile:ident, $width:literal, $apart:expr; $($rows:literal)+) => {
        &[$($tile::<$rows, $width, { $apart }>),+]
    };
}

/// A kernel and its twin for columns.
macro_rules! kernels {
    ($(#[$meta:meta])* $name:ident, $grouped:ident: $tile:ident, $rows:tt rows, depth $depth:literal by $right:literal, panels $($width:literal)+, rounds $rounds:literal, widening $widening:expr) => {
        $(#[$meta])*
        pub(super) static $name: Kernel = Kernel {
            layout: Layout::Rows(RUN / $depth),
            grouped: Some(&$grouped),
            tiles: &[$(rows!($tile, $width, RUN / $depth, $rows)),+],
            ..$grouped
        };
        $(#[$meta])*
        pub(super) static $grouped: Kernel = Kernel {
            rows: $rows,
            depth: $depth,
            right_depth: $right,
            layout: Layout::Groups,
            longest_run: RUN,
            rounds: $rounds,
            widening: $widening,
            grouped: None,
            tiles: &[$(rows!($tile, $width, 0, $rows)),+],
        };
    };
}

/// The longest run of every kernel but AMX's.
const RUN: usize = 384;

kernels!(PLAIN, PLAIN_GROUPED: plain, 6 rows, depth 1 by 1, panels 1, rounds false, widening Some(&PLAIN_WIDENING));
kernels!(PLAIN_WIDENING, PLAIN_WIDENING_GROUPED: plain_widening, 6 rows, depth 1 by 2, panels 1, rounds false, widening None);
kernels!(
    #[cfg(target_arch = "x86_64")]
    AVX2, AVX2_GROUPED: avx2, 6 rows, depth 1 by 1, panels 1, rounds false, widening Some(&AVX2_WIDENING)
);
kernels!(
    #[cfg(target_arch = "x86_64")]
    AVX2_WIDENING, AVX2_WIDENING_GROUPED: avx2_widening, 6 rows, depth 1 by 2, panels 1, rounds false, widening None
);
kernels!(
    #[cfg(target_arch = "x86_64")]
    AVX512, AVX512_GROUPED: avx512, 12 rows, depth 1 by 1, panels 1 2, rounds false, widening Some(&AVX512_WIDENING)
);
kernels!(
    #[cfg(target_arch = "x86_64")]
    AVX512_WIDENING, AVX512_WIDENING_GROUPED: avx512_widening, 12 rows, depth 1 by 2, panels 1 2, rounds false, widening None
);
kernels!(
    #[cfg(target_arch = "x86_64")]
    AVX512_PAIRS, AVX512_PAIRS_GROUPED: pairs, 12 rows, depth 2 by 2, panels 1 2, rounds true, widening None
);
#[cfg(target_arch = "x86_64")]
static AMX: Kernel = Kernel {
    rows: amx::ROWS,
    depth: 2,
    right_depth: 2,
    layout: Layout::Blocks,
    longest_run: 768,
    rounds: false,
    widening: None,
    grouped: None,
    tiles: &[&[amx::tile::<1> as Tile; amx::ROWS], &[amx::tile::<2> as Tile; amx::ROWS]],
};

// Pairs without the instructions for them: what carries cells of two bf16 is tested on every machine.
kernels!(
    #[cfg(test)]
    PLAIN_PAIRS, PLAIN_PAIRS_GROUPED: plain_pairs, 12 rows, depth 2 by 2, panels 1 2, rounds false, widening None
);
