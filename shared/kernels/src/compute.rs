//! The dtype a product's inputs and output are rounded to, as autocast does; sums are always in f32.

use candle_core::DType;

use crate::isa::vectorized;

/// The precision of a matrix product: inputs and output are rounded to it, sums inside are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compute {
    /// No rounding.
    #[default]
    F32,
    /// bfloat16, round to nearest even.
    Bf16,
    /// IEEE half precision, round to nearest even; values beyond 65504 become infinite.
    F16,
}

impl Compute {
    /// The candle dtype of the same format.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }

    /// `x` rounded to this format and widened again.
    #[inline]
    pub fn round(self, x: f32) -> f32 {
        match self {
            Self::F32 => x,
            Self::Bf16 => round_bf16(x),
            Self::F16 => half::f16::from_f32(x).to_f32(),
        }
    }

    /// Rounds every element in place.
    pub(crate) fn round_slice(self, xs: &mut [f32]) {
        match self {
            Self::F32 => {}
            Self::Bf16 => round_slice_bf16(xs),
            Self::F16 => round_slice_f16(xs),
        }
    }
}

vectorized! {
    fn round_slice_bf16(xs: &mut [f32]) {
        for x in xs {
            *x = round_bf16(*x);
        }
    }
}

fn round_slice_f16(xs: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if crate::isa::isa() >= crate::isa::Isa::Avx2 {
        #[allow(unsafe_code, reason = "F16C was detected with AVX2")]
        // SAFETY: the instruction set was detected.
        unsafe {
            return crate::half_precision::round(xs);
        }
    }
    for x in xs {
        *x = half::f16::from_f32(*x).to_f32();
    }
}

/// Round to nearest even to 8 bits of mantissa; NaN stays NaN.
#[inline]
pub(crate) fn round_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1)) & 0xFFFF_0000;
    let nan = (bits & 0x7FFF_FFFF) > 0x7F80_0000;
    f32::from_bits(if nan { 0x7FC0_0000 } else { rounded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_rounds_to_nearest_even_like_half() {
        for bits in (0..u32::MAX).step_by(9973) {
            let x = f32::from_bits(bits);
            let expected = half::bf16::from_f32(x).to_f32();
            let got = Compute::Bf16.round(x);
            assert!(
                expected.to_bits() == got.to_bits() || (x.is_nan() && got.is_nan()),
                "{x} {expected} {got}"
            );
        }
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        assert_eq!(Compute::Bf16.round(1.0 + 1.0 / 256.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(Compute::Bf16.round(1.0 + 3.0 / 256.0).to_bits(), (1.0_f32 + 4.0 / 256.0).to_bits());
        assert!(Compute::F16.round(70000.0).is_infinite());
    }
}
