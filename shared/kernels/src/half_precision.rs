//! IEEE half precision in F16C instructions.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "vector loads and stores through pointers")]

use std::arch::x86_64::{
    _MM_FROUND_TO_NEAREST_INT, _mm_loadu_si128, _mm256_cvtph_ps, _mm256_cvtps_ph, _mm256_loadu_ps,
    _mm256_storeu_ps,
};

use half::f16;

/// Widens `values` into `out`; both have the same length.
#[target_feature(enable = "avx2,f16c")]
pub(crate) fn widen(values: &[f16], out: &mut [f32]) {
    let (wide, rest) = out.as_chunks_mut::<8>();
    let (values, values_rest) = values.as_chunks::<8>();
    for (out, values) in wide.iter_mut().zip(values) {
        // SAFETY: both arrays hold 8 elements.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(values.as_ptr().cast())));
        };
    }
    for (out, value) in rest.iter_mut().zip(values_rest) {
        *out = value.to_f32();
    }
}

/// Rounds to half precision and back, in place.
#[target_feature(enable = "avx2,f16c")]
pub(crate) fn round(xs: &mut [f32]) {
    let (wide, rest) = xs.as_chunks_mut::<8>();
    for x in wide {
        // SAFETY: the array holds 8 floats.
        unsafe {
            let half = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(x.as_ptr()));
            _mm256_storeu_ps(x.as_mut_ptr(), _mm256_cvtph_ps(half));
        }
    }
    for x in rest {
        *x = f16::from_f32(*x).to_f32();
    }
}
