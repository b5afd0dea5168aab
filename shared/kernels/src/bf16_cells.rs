//! Cells of the size of an f32 that hold two bf16, the first in the low half.

use crate::{compute::round_bf16, isa::vectorized};

/// Two values, rounded, in a cell.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must take on its caller's instruction set")]
pub(crate) fn cell(low: f32, high: f32) -> f32 {
    f32::from_bits((round_bf16(low).to_bits() >> 16) | round_bf16(high).to_bits())
}

/// Cells of neighbouring values, rounded; a last one without a partner is joined with 0. Denormals may become 0.
pub(crate) fn join_neighbours(values: &[f32], out: &mut [f32]) {
    assert_eq!(out.len(), values.len().div_ceil(2));
    #[cfg(target_arch = "x86_64")]
    if crate::isa::isa() >= crate::isa::Isa::Avx512 {
        #[allow(unsafe_code, reason = "the instructions were detected")]
        // SAFETY: `isa` only answers sets that were detected on this processor; the lengths are asserted above.
        unsafe {
            return x86_64::join_neighbours(values, out);
        }
    }
    join(values, out);
}

vectorized! {
    fn join(values: &[f32], out: &mut [f32]) {
        let (pairs, rest) = values.as_chunks::<2>();
        let (whole, last) = out.split_at_mut(pairs.len());
        for (out, &[low, high]) in whole.iter_mut().zip(pairs) {
            *out = cell(low, high);
        }
        if let ([out], [low]) = (last, rest) {
            *out = cell(*low, 0.0);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "vector loads and stores through pointers")]
mod x86_64 {
    use std::{
        arch::x86_64::{
            __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_mask_storeu_epi32,
            _mm512_maskz_loadu_ps, _mm512_storeu_si512,
        },
        mem::transmute,
    };

    /// `out` holds a cell for every two values.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn join_neighbours(values: &[f32], out: &mut [f32]) {
        let (blocks, rest) = values.as_chunks::<32>();
        let (whole, last) = out.split_at_mut(blocks.len() * 16);
        for (block, out) in blocks.iter().zip(whole.as_chunks_mut::<16>().0) {
            // SAFETY: the block holds 32 floats and `out` 16; the vector types are plain bits.
            unsafe {
                let high = _mm512_loadu_ps(block.as_ptr().add(16));
                let cells = _mm512_cvtne2ps_pbh(high, _mm512_loadu_ps(block.as_ptr()));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), transmute::<__m512bh, __m512i>(cells));
            }
        }
        let mask = |from: usize| ((1_u32 << rest.len().saturating_sub(from).min(16)) - 1) as u16;
        let there = ((1_u32 << last.len()) - 1) as u16;
        // SAFETY: masked loads and stores touch the values and cells that there are.
        unsafe {
            let low = _mm512_maskz_loadu_ps(mask(0), rest.as_ptr());
            let high = _mm512_maskz_loadu_ps(mask(16), rest.as_ptr().wrapping_add(16));
            let cells = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_mask_storeu_epi32(last.as_mut_ptr().cast(), there, cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_any_number_are_joined() {
        for len in 0..100_usize {
            let values: Vec<f32> = (0..len).map(|n| (n as f32 - 40.0) * 1.001).collect();
            let mut out = vec![f32::NAN; len.div_ceil(2)];
            join_neighbours(&values, &mut out);
            let bits: Vec<u32> = out.iter().map(|x| x.to_bits()).collect();
            let pairs = values.chunks(2);
            let want: Vec<u32> =
                pairs.map(|two| cell(two[0], two.get(1).copied().unwrap_or(0.0)).to_bits()).collect();
            assert_eq!(bits, want, "{len} values");
        }
    }
}
