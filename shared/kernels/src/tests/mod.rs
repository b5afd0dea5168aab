//! Every operation beside its composition of candle's own operations: values, gradients, and the determinism contract.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod agreement;
mod bits;
mod gradients;
mod quantized;

use candle_core::{Device, Tensor, Var};

/// Numbers in `[-1, 1)`, the same on every machine.
fn values(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64)
        .map(|i| {
            let mut z = (seed << 40).wrapping_add(i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z ^= z >> 31;
            (z >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(values(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

fn var(shape: &[usize], seed: u64) -> Var {
    Var::from_tensor(&random(shape, seed)).unwrap()
}

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(x: &Tensor) -> Vec<u32> {
    flat(x).into_iter().map(f32::to_bits).collect()
}

fn assert_close(got: &Tensor, want: &Tensor, tolerance: f32, what: &str) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let (got, want) = (flat(got), flat(want));
    let size = want.iter().fold(1e-3_f32, |max, x| max.max(x.abs()));
    for (n, (g, w)) in got.iter().zip(&want).enumerate() {
        assert!((g - w).abs() <= tolerance * size, "{what} at {n}: {g} {w}");
    }
}
