//! The innermost product: up to 6 rows by 16 columns of sums kept in registers.
//!
//! Every sum starts at 0 and adds its products in the order of `k`, so a row's bits do not depend on its neighbours.
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

use crate::isa::{Isa, isa};

/// Rows of a packed panel of `a`.
pub(crate) const MR: usize = 6;
/// Columns of a packed panel of `b`.
pub(crate) const NR: usize = 16;

/// `c (+)= a · b` for one tile.
///
/// Callers guarantee: `a` holds `k` groups of `MR` floats, `b` `k` groups of `NR`, and `c` has a row of `NR` floats at each of the
/// tile's row offsets `0, ldc, 2·ldc, …`.
pub(super) type Tile = unsafe fn(k: usize, a: *const f32, b: *const f32, c: *mut f32, ldc: usize, add: bool);

/// The kernels for 1 to [`MR`] rows in the instruction set in use; index = rows - 1.
pub(super) fn tiles() -> [Tile; MR] {
    tiles_of(isa())
}

/// The kernels of one instruction set, which the processor must have.
pub(super) fn tiles_of(isa: Isa) -> [Tile; MR] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => [avx2::<1>, avx2::<2>, avx2::<3>, avx2::<4>, avx2::<5>, avx2::<6>],
        _ => [plain::<1>, plain::<2>, plain::<3>, plain::<4>, plain::<5>, plain::<6>],
    }
}

unsafe fn plain<const R: usize>(k: usize, a: *const f32, b: *const f32, c: *mut f32, ldc: usize, add: bool) {
    // SAFETY: the lengths are the caller's guarantee.
    let (a, b) = unsafe { (std::slice::from_raw_parts(a, k * MR), std::slice::from_raw_parts(b, k * NR)) };
    let mut sums = [[0.0_f32; NR]; R];
    for (a, b) in a.as_chunks::<MR>().0.iter().zip(b.as_chunks::<NR>().0) {
        for (sums, a) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: row `r` of the tile has NR floats, the caller's guarantee.
        let c = unsafe { std::slice::from_raw_parts_mut(c.add(r * ldc), NR) };
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if add { *c + sum } else { *sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(k: usize, a: *const f32, b: *const f32, c: *mut f32, ldc: usize, add: bool) {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    let (mut a, mut b) = (a, b);
    for _ in 0..k {
        // SAFETY: the panels hold `k` groups, the caller's guarantee.
        unsafe {
            let b0 = _mm256_loadu_ps(b);
            let b1 = _mm256_loadu_ps(b.add(8));
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm256_set1_ps(a.add(r).read());
                sums[0] = _mm256_fmadd_ps(a, b0, sums[0]);
                sums[1] = _mm256_fmadd_ps(a, b1, sums[1]);
            }
            a = a.add(MR);
            b = b.add(NR);
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (half, &sum) in sums.iter().enumerate() {
            // SAFETY: row `r` of the tile has NR floats, the caller's guarantee.
            unsafe {
                let c = c.add(r * ldc + half * 8);
                _mm256_storeu_ps(c, if add { _mm256_add_ps(_mm256_loadu_ps(c), sum) } else { sum });
            }
        }
    }
}
