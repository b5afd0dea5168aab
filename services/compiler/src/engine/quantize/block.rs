//! Symmetric 8-bit blocks: `w ≈ (code − 128) · scale`, the layout of ONNX Runtime's `MatMulNBits` with 8 bits.

use rayon::prelude::*;

/// The code of zero.
const ZERO: f32 = 128.0;
/// Greatest magnitude of a code: symmetric, so −128 is not used.
const LIMIT: f32 = 127.0;

/// Codes `[rows, blocks, block]` (the last block padded with zeros) and scales `[rows, blocks]`.
pub(crate) struct Quantized {
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
}

fn scale_of(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / LIMIT
}

fn code(value: f32, inverse: f32) -> f32 {
    (value * inverse).round_ties_even().clamp(-LIMIT, LIMIT)
}

/// Quantises a row-major matrix of `columns` columns.
pub(crate) fn quantize_rows(values: &[f32], columns: usize, block: usize) -> Quantized {
    let blocks = columns.div_ceil(block);
    let rows = values.len() / columns.max(1);
    let mut quantized =
        Quantized { codes: vec![ZERO as u8; rows * blocks * block], scales: vec![0.0; rows * blocks] };
    let rows = values.par_chunks(columns).zip(quantized.codes.par_chunks_mut(blocks * block));
    rows.zip(quantized.scales.par_chunks_mut(blocks)).for_each(|((row, codes), scales)| {
        for ((values, codes), scale) in row.chunks(block).zip(codes.chunks_mut(block)).zip(scales) {
            *scale = scale_of(values);
            let inverse = if *scale > 0.0 { scale.recip() } else { 0.0 };
            for (code_out, &value) in codes.iter_mut().zip(values) {
                *code_out = (code(value, inverse) + ZERO) as u8;
            }
        }
    });
    quantized
}

/// What is left of `values` after rounding to 8-bit blocks, in place.
pub(crate) fn round_rows(values: &mut [f32], columns: usize, block: usize) {
    values.par_chunks_mut(columns).for_each(|row| {
        for values in row.chunks_mut(block) {
            let scale = scale_of(values);
            let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
            for value in values {
                *value = code(*value, inverse) * scale;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_within_half_a_step_and_padding_is_zero() {
        let columns = 40;
        let values: Vec<f32> = (0..3 * columns).map(|n| ((n * 37 % 101) as f32 - 50.0) / 7.0).collect();
        let quantized = quantize_rows(&values, columns, 32);
        assert_eq!((quantized.codes.len(), quantized.scales.len()), (3 * 64, 6));
        let mut rounded = values.clone();
        round_rows(&mut rounded, columns, 32);
        for (index, &value) in values.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let scale = quantized.scales[row * 2 + column / 32];
            let back = (f32::from(quantized.codes[row * 64 + column]) - 128.0) * scale;
            assert!((back - value).abs() <= scale * 0.5001, "{value} became {back}");
            assert!((back - rounded[index]).abs() < 1e-6);
        }
        assert!(quantized.codes[40..64].iter().all(|&code| code == 128));
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        let quantized = quantize_rows(&[0.0; 64], 32, 32);
        assert!(
            quantized.codes.iter().all(|&code| code == 128)
                && quantized.scales.iter().all(|&scale| scale == 0.0)
        );
    }
}
