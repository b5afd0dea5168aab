//! Tiles of AVX2 and FMA.
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

use super::{NR, Store, ahead, place};

/// Writes or adds finished sums to a panel's columns of the tile's rows, which are the caller's guarantee.
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

/// f32 cells.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
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
                    let a = _mm256_set1_ps(a.add(place::<S, 6>(n, r)).read());
                    sums[0] = _mm256_fmadd_ps(a, b0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, b1, sums[1]);
                }
            }
        }
        store256!(sums, c, ldc, panel, add);
    }
}

/// `b` in cells of two bf16, widened one after the other: bit for bit what [`avx2`] gives.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_widening<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_slli_epi32, _mm256_storeu_ps,
    };
    let second = _mm256_set1_epi32(i32::MIN >> 15);
    for (panel, &b) in b[..W].iter().enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for n in 0..k {
            // SAFETY: the panels hold `k` groups, and `a` two values for each, the caller's guarantee.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add((n + ahead(R)) * NR).cast());
                let b0 = _mm256_loadu_si256(b.add(n * NR).cast());
                let b1 = _mm256_loadu_si256(b.add(n * NR + 8).cast());
                let first0 = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b0));
                let first1 = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b1));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(a.add(place::<S, 6>(2 * n, r)).read());
                    sums[0] = _mm256_fmadd_ps(a, first0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, first1, sums[1]);
                }
                let second0 = _mm256_castsi256_ps(_mm256_and_si256(b0, second));
                let second1 = _mm256_castsi256_ps(_mm256_and_si256(b1, second));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(a.add(place::<S, 6>(2 * n + 1, r)).read());
                    sums[0] = _mm256_fmadd_ps(a, second0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, second1, sums[1]);
                }
            }
        }
        store256!(sums, c, ldc, panel, add);
    }
}
