//! Tiles of AVX-512, and of its bf16 products.
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

use super::{NR, Store, ahead, place};

/// Writes or adds finished sums to the tile's rows, which are the caller's guarantee.
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

/// f32 cells; bit for bit what AVX2's tiles give.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
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
                let a = _mm512_set1_ps(a.add(place::<S, 12>(n, r)).read());
                for w in 0..W {
                    sums[w] = _mm512_fmadd_ps(a, right[w], sums[w]);
                }
            }
        }
    }
    store512!(sums, c, ldc, add);
}

/// `b` in cells of two bf16, widened one after the other: bit for bit what [`avx512`] gives.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512_widening<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_slli_epi32, _mm512_storeu_ps,
    };
    let second = _mm512_set1_epi32(i32::MIN >> 15);
    let mut sums = [[_mm512_setzero_ps(); W]; R];
    for n in 0..k {
        // SAFETY: the panels hold `k` groups, and `a` two values for each, the caller's guarantee.
        unsafe {
            let mut cells = [second; W];
            for w in 0..W {
                _mm_prefetch::<_MM_HINT_T0>(b[w].wrapping_add((n + ahead(R)) * NR).cast());
                cells[w] = _mm512_loadu_si512(b[w].add(n * NR).cast());
            }
            let first = cells.map(|cells| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(cells)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(a.add(place::<S, 12>(2 * n, r)).read());
                for w in 0..W {
                    sums[w] = _mm512_fmadd_ps(a, first[w], sums[w]);
                }
            }
            let second = cells.map(|cells| _mm512_castsi512_ps(_mm512_and_si512(cells, second)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(a.add(place::<S, 12>(2 * n + 1, r)).read());
                for w in 0..W {
                    sums[w] = _mm512_fmadd_ps(a, second[w], sums[w]);
                }
            }
        }
    }
    store512!(sums, c, ldc, add);
}

/// Cells of two bf16: each step adds the two products of a pair, as `VDPBF16PS` does (denormals count as 0).
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn pairs<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, round }: Store,
) {
    use std::{
        arch::x86_64::{
            __m256bh, __m256i, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps,
            _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps,
            _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_slli_epi32,
            _mm512_storeu_ps,
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
                let a = _mm512_set1_epi32(a.add(place::<S, 12>(n, r)).cast::<i32>().read());
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
    if round {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (w, sum) in sums.iter_mut().enumerate() {
                // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee; the vector types are 32 bytes of plain bits.
                unsafe {
                    if add {
                        *sum = _mm512_add_ps(_mm512_loadu_ps(c.add(r * ldc + w * NR)), *sum);
                    }
                    let rounded = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(*sum));
                    *sum = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(rounded)));
                }
            }
        }
    }
    let add = add && !round;
    store512!(sums, c, ldc, add);
}
