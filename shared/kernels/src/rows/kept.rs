//! Activations kept from the forward to the backward pass.

use std::borrow::Cow;

use half::{bf16, f16, slice::HalfFloatSliceExt as _};

use super::filled;
use crate::{Compute, compute::round_bf16};

const PART: usize = 1 << 12;

/// Numbers kept for later: two bytes each where they are values of a half format.
#[derive(Clone, Debug)]
pub struct Kept(Values);

#[derive(Clone, Debug)]
enum Values {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

impl Kept {
    /// Every bit of every number.
    pub fn exact(values: Vec<f32>) -> Self {
        Self(Values::F32(values))
    }

    /// Numbers that are only ever used rounded to `compute`.
    pub fn rounded(values: Vec<f32>, compute: Compute) -> Self {
        Self(match compute {
            Compute::F32 => Values::F32(values),
            Compute::Bf16 => Values::Bf16(filled(values.len(), PART, |from, half| {
                for (half, &x) in half.iter_mut().zip(&values[from..]) {
                    *half = bf16::from_bits((round_bf16(x).to_bits() >> 16) as u16);
                }
            })),
            Compute::F16 => {
                let mut half = vec![f16::ZERO; values.len()];
                half.convert_from_f32_slice(&values);
                Values::F16(half)
            }
        })
    }

    /// The numbers, widened.
    pub fn floats(&self) -> Cow<'_, [f32]> {
        match &self.0 {
            Values::F32(values) => Cow::Borrowed(values),
            Values::Bf16(half) => Cow::Owned(filled(half.len(), PART, |from, values| {
                for (x, half) in values.iter_mut().zip(&half[from..]) {
                    *x = f32::from_bits(u32::from(half.to_bits()) << 16);
                }
            })),
            Values::F16(half) => Cow::Owned(half.to_f32_vec()),
        }
    }

    /// Memory they take.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Values::F32(values) => values.len() * 4,
            Values::Bf16(half) => half.len() * 2,
            Values::F16(half) => half.len() * 2,
        }
    }
}
