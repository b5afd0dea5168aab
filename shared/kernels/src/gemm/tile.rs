//! The innermost product: a few rows by one or two panels of columns, whose sums stay in registers.
//!
//! Every sum starts at 0 and adds its products in the order of `k`, so a row's bits depend neither on its neighbours nor on
//! the tile it falls into.
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

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

    /// A kernel that gives the same bits from cells of two bf16: for few rows, reading a weight as it is stored costs less than widening
    /// it first.
    pub(super) fn of_few_rows(operands: Compute) -> Option<&'static Self> {
        match (isa(), operands) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, Compute::Bf16) => Some(&AVX2_PAIRS),
            _ => None,
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
    tiles: &[rows!(plain, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
static AVX2: Kernel = Kernel {
    rows: 6,
    depth: 1,
    layout: Layout::Groups,
    longest_run: 384,
    tiles: &[rows!(avx2, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
pub(super) static AVX2_PAIRS: Kernel = Kernel {
    rows: 6,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    tiles: &[rows!(avx2_pairs, 1: 1 2 3 4 5 6)],
};
#[cfg(target_arch = "x86_64")]
static AVX512: Kernel = Kernel {
    rows: 12,
    depth: 1,
    layout: Layout::Groups,
    longest_run: 384,
    tiles: &[rows!(avx512, 1: 1 2 3 4 5 6 7 8 9 10 11 12), rows!(avx512, 2: 1 2 3 4 5 6 7 8 9 10 11 12)],
};
#[cfg(target_arch = "x86_64")]
static AVX512_PAIRS: Kernel = Kernel {
    rows: 12,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    tiles: &[rows!(pairs, 1: 1 2 3 4 5 6 7 8 9 10 11 12), rows!(pairs, 2: 1 2 3 4 5 6 7 8 9 10 11 12)],
};
#[cfg(target_arch = "x86_64")]
static AMX: Kernel = Kernel {
    rows: amx::ROWS,
    depth: 2,
    layout: Layout::Blocks,
    longest_run: 768,
    tiles: &[&[amx::tile::<1> as Tile; amx::ROWS], &[amx::tile::<2> as Tile; amx::ROWS]],
};

/// Pairs without the instructions for them: what carries cells of two bf16 is tested on every machine.
#[cfg(test)]
pub(super) static PLAIN_PAIRS: Kernel = Kernel {
    rows: 12,
    depth: 2,
    layout: Layout::Groups,
    longest_run: 384,
    tiles: &[
        rows!(plain_pairs, 1: 1 2 3 4 5 6 7 8 9 10 11 12),
        rows!(plain_pairs, 2: 1 2 3 4 5 6 7 8 9 10 11 12),
    ],
};

#[cfg(test)]
unsafe fn plain_pairs<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    let halves =
        |cell: f32| [f32::from_bits(cell.to_bits() << 16), f32::from_bits(cell.to_bits() & 0xFFFF_0000)];
    for r in 0..R {
        for column in 0..W * NR {
            let mut sum = 0.0_f32;
            for n in 0..k {
                // SAFETY: the panels hold `k` groups, the caller's guarantee.
                let (a, b) =
                    unsafe { (a.add(n * 12 + r).read(), b[column / NR].add(n * NR + column % NR).read()) };
                let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
                sum += a0 * b0 + a1 * b1;
            }
            // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
            unsafe {
                let c = c.add(r * ldc + column);
                c.write(if add { c.read() + sum } else { sum });
            }
        }
    }
}

unsafe fn plain<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    const ROWS: usize = 6;
    for (panel, &b) in b[..W].iter().enumerate() {
        // SAFETY: the lengths are the caller's guarantee.
        let (a, b) =
            unsafe { (std::slice::from_raw_parts(a, k * ROWS), std::slice::from_raw_parts(b, k * NR)) };
        let mut sums = [[0.0_f32; NR]; R];
        for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<NR>().0) {
            for (sums, a) in sums.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
            let c = unsafe { std::slice::from_raw_parts_mut(c.add(r * ldc + panel * NR), NR) };
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = if add { *c + sum } else { *sum };
            }
        }
    }
}

/// Writes or adds finished sums to a panel's columns of the tile's rows, which are the caller's guarantee.
#[cfg(target_arch = "x86_64")]
macro_rules! store256 {
    ($sums:ident, $c:ident, $ldc:ident, $panel:ident, $add:ident) => {
        for (r, sums) in $sums.into_iter().enumerate() {
            for (half, sum) in sums.into_iter().enumerate() {
                // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
                unsafe {
                    let c = $c.add(r * $ldc + $panel * NR + half * 8);
                    _mm256_storeu_ps(c, if $add { _mm256_add_ps(_mm256_loadu_ps(c), sum) } else { sum });
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    for (panel, &b) in b[..W].iter().enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for n in 0..k {
            // SAFETY: the panels hold `k` groups, the caller's guarantee.
            unsafe {
                let b0 = _mm256_loadu_ps(b.add(n * NR));
                let b1 = _mm256_loadu_ps(b.add(n * NR + 8));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(a.add(n * 6 + r).read());
                    sums[0] = _mm256_fmadd_ps(a, b0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, b1, sums[1]);
                }
            }
        }
        store256!(sums, c, ldc, panel, add);
    }
}

/// Cells of two bf16, widened one after the other: bit for bit what [`avx2`] gives.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_pairs<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi32,
        _mm256_storeu_ps,
    };
    let second = _mm256_set1_epi32(i32::MIN >> 15);
    for (panel, &b) in b[..W].iter().enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for n in 0..k {
            // SAFETY: the panels hold `k` groups, the caller's guarantee.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add((n + ahead(R)) * NR).cast());
                let b0 = _mm256_loadu_si256(b.add(n * NR).cast());
                let b1 = _mm256_loadu_si256(b.add(n * NR + 8).cast());
                let first0 = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b0));
                let first1 = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b1));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_epi32(a.add(n * 6 + r).cast::<i32>().read());
                    let a = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(a));
                    sums[0] = _mm256_fmadd_ps(a, first0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, first1, sums[1]);
                }
                let second0 = _mm256_castsi256_ps(_mm256_and_si256(b0, second));
                let second1 = _mm256_castsi256_ps(_mm256_and_si256(b1, second));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_epi32(a.add(n * 6 + r).cast::<i32>().read());
                    let a = _mm256_castsi256_ps(_mm256_and_si256(a, second));
                    sums[0] = _mm256_fmadd_ps(a, second0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, second1, sums[1]);
                }
            }
        }
        store256!(sums, c, ldc, panel, add);
    }
}

/// Writes or adds finished sums to the tile's rows, which are the caller's guarantee.
#[cfg(target_arch = "x86_64")]
macro_rules! store512 {
    ($sums:ident, $c:ident, $ldc:ident, $add:ident) => {
        for (r, sums) in $sums.into_iter().enumerate() {
            for (w, sum) in sums.into_iter().enumerate() {
                // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
                unsafe {
                    let c = $c.add(r * $ldc + w * NR);
                    _mm512_storeu_ps(c, if $add { _mm512_add_ps(_mm512_loadu_ps(c), sum) } else { sum });
                }
            }
        }
    };
}

/// f32 cells; bit for bit what [`avx2`] gives.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); W]; R];
    for n in 0..k {
        // SAFETY: the panels hold `k` groups, the caller's guarantee.
        unsafe {
            let mut right = [_mm512_setzero_ps(); W];
            for w in 0..W {
                _mm_prefetch::<_MM_HINT_T0>(b[w].wrapping_add((n + ahead(R)) * NR).cast());
                right[w] = _mm512_loadu_ps(b[w].add(n * NR));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(a.add(n * 12 + r).read());
                for w in 0..W {
                    sums[w] = _mm512_fmadd_ps(a, right[w], sums[w]);
                }
            }
        }
    }
    store512!(sums, c, ldc, add);
}

/// Cells of two bf16: each step adds the two products of a pair, as `VDPBF16PS` does (denormals count as 0).
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs<const R: usize, const W: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    use std::{
        arch::x86_64::{
            __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps,
            _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
        },
        mem::transmute,
    };
    let mut sums = [[_mm512_setzero_ps(); W]; R];
    for n in 0..k {
        // SAFETY: the panels hold `k` groups, the caller's guarantee; the vector types are all 64 bytes of plain bits.
        unsafe {
            let mut right = [_mm512_set1_epi32(0); W];
            for w in 0..W {
                _mm_prefetch::<_MM_HINT_T0>(b[w].wrapping_add((n + ahead(R)) * NR).cast());
                right[w] = _mm512_loadu_si512(b[w].add(n * NR).cast());
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_epi32(a.add(n * 12 + r).cast::<i32>().read());
                for w in 0..W {
                    sums[w] = _mm512_dpbf16_ps(
                        sums[w],
                        transmute::<__m512i, __m512bh>(a),
                        transmute::<__m512i, __m512bh>(right[w]),
                    );
                }
            }
        }
    }
    store512!(sums, c, ldc, add);
}
