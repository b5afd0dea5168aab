//! 8 by 8 transposition in AVX registers, the inner step of packing.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

use std::arch::x86_64::{
    __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
    _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

/// `out[k * stride + r] = rows[r][k]` for `k < len` (a multiple of 8) and `r < real`; `lanes` of a group are ours and become 0
/// from `real` on. Up to 8 lanes are written: with fewer of ours, what lies behind a group is to be written afterwards.
pub(super) fn interleave(
    rows: [&[f32]; 8],
    (real, lanes): (usize, usize),
    len: usize,
    out: &mut [f32],
    stride: usize,
) {
    if len == 0 {
        return;
    }
    assert!(len.is_multiple_of(8) && rows[..real].iter().all(|row| row.len() >= len));
    assert!(real <= lanes && lanes <= 8 && lanes <= stride && out.len() >= (len - 1) * stride + lanes);
    // SAFETY: AVX2 was detected by the caller's `isa` check; the lengths are asserted above.
    unsafe { interleave_avx(rows, (real, lanes), len, out, stride) }
}

#[target_feature(enable = "avx2")]
unsafe fn interleave_avx(
    rows: [&[f32]; 8],
    (real, lanes): (usize, usize),
    len: usize,
    out: &mut [f32],
    stride: usize,
) {
    let end = out.len();
    for k in (0..len).step_by(8) {
        let mut x = [_mm256_setzero_ps(); 8];
        for (x, row) in x.iter_mut().zip(&rows[..real]) {
            // SAFETY: `k + 8 <= len <= row.len()`.
            *x = unsafe { _mm256_loadu_ps(row.as_ptr().add(k)) };
        }
        for (n, x) in transposed(x).into_iter().enumerate() {
            let at = (k + n) * stride;
            if at + 8 <= end {
                // SAFETY: the bound was just checked. Groups are written in ascending order, so lanes that reach into the
                // next group are overwritten by it, or by the caller's next call.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(at), x) };
            } else {
                let mut values = [0.0_f32; 8];
                // SAFETY: `values` holds 8 floats.
                unsafe { _mm256_storeu_ps(values.as_mut_ptr(), x) };
                out[at..at + lanes].copy_from_slice(&values[..lanes]);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transposed(x: [__m256; 8]) -> [__m256; 8] {
    let low = [
        _mm256_unpacklo_ps(x[0], x[1]),
        _mm256_unpackhi_ps(x[0], x[1]),
        _mm256_unpacklo_ps(x[2], x[3]),
        _mm256_unpackhi_ps(x[2], x[3]),
        _mm256_unpacklo_ps(x[4], x[5]),
        _mm256_unpackhi_ps(x[4], x[5]),
        _mm256_unpacklo_ps(x[6], x[7]),
        _mm256_unpackhi_ps(x[6], x[7]),
    ];
    let mid = [
        _mm256_shuffle_ps::<0x44>(low[0], low[2]),
        _mm256_shuffle_ps::<0xEE>(low[0], low[2]),
        _mm256_shuffle_ps::<0x44>(low[1], low[3]),
        _mm256_shuffle_ps::<0xEE>(low[1], low[3]),
        _mm256_shuffle_ps::<0x44>(low[4], low[6]),
        _mm256_shuffle_ps::<0xEE>(low[4], low[6]),
        _mm256_shuffle_ps::<0x44>(low[5], low[7]),
        _mm256_shuffle_ps::<0xEE>(low[5], low[7]),
    ];
    [
        _mm256_permute2f128_ps::<0x20>(mid[0], mid[4]),
        _mm256_permute2f128_ps::<0x20>(mid[1], mid[5]),
        _mm256_permute2f128_ps::<0x20>(mid[2], mid[6]),
        _mm256_permute2f128_ps::<0x20>(mid[3], mid[7]),
        _mm256_permute2f128_ps::<0x31>(mid[0], mid[4]),
        _mm256_permute2f128_ps::<0x31>(mid[1], mid[5]),
        _mm256_permute2f128_ps::<0x31>(mid[2], mid[6]),
        _mm256_permute2f128_ps::<0x31>(mid[3], mid[7]),
    ]
}
