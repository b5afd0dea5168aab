//! Random-looking numbers from a formula, the same on every machine, and tiny models made of them.
//!
//! [`value`] is exact in 64-bit integers and rounds once to f32 (SplitMix64's finaliser, Steele et al. 2014), so initial
//! weights, dropout masks and test models are bit-identical wherever they are computed.

mod tiny;

pub use tiny::{TinyModel, tiny_tokenizer, write_tiny_folder};

use rayon::prelude::*;

use crate::config::ModelConfig;

/// The 64 bits at index `n` of a stream.
pub fn bits(stream: u64, n: u64) -> u64 {
    let mut z = (stream << 40).wrapping_add(n).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Uniform in `0..1` at index `n` of a stream, with 53 bits.
pub fn unit(stream: u64, n: u64) -> f64 {
    (bits(stream, n) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Uniform in `-bound..bound` at index `n` of a stream.
pub fn value(stream: u64, n: u64, bound: f64) -> f32 {
    ((2.0 * unit(stream, n) - 1.0) * bound) as f32
}

/// The first `count` values of a stream.
pub fn values(stream: u64, count: usize, bound: f64) -> Vec<f32> {
    (0..count as u64).into_par_iter().map(|n| value(stream, n, bound)).collect()
}

/// The `lora_A` of the `k`-th adapted linear (counted over all layers and all seven linears), row-major `[rank, input]`:
/// uniform within `1 / sqrt(input)`, as PEFT initialises it.
pub fn lora_a(k: usize, rank: usize, input: usize) -> Vec<f32> {
    values(1 + k as u64, rank * input, 1.0 / (input as f64).sqrt())
}

/// A tensor of a randomly initialised model, by Hugging Face name: standard deviation `initializer_range` for matrices,
/// 1 for norms, 0 for biases. `None` for a name the configuration does not have.
pub fn initial_weight(config: &ModelConfig, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
    let (_, shape) = config.tensor_shapes().into_iter().find(|(n, _)| n == name)?;
    Some((shape.clone(), initial_values(config, name, &shape)))
}

pub(crate) fn initial_values(config: &ModelConfig, name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    if is_bias(name) {
        return vec![0.0; count];
    }
    match matrix_index(config, name) {
        Some(index) => values(1000 + index as u64, count, config.initializer_range * 3_f64.sqrt()),
        None => vec![1.0; count],
    }
}

/// Whether a tensor's name is a bias's.
fn is_bias(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, kind)| kind == "bias")
}

/// The index of a matrix among all matrices: 0 the embedding, then seven a layer, then the untied output.
fn matrix_index(config: &ModelConfig, name: &str) -> Option<usize> {
    if name == "model.embed_tokens.weight" {
        return Some(0);
    }
    if name == "lm_head.weight" {
        return Some(1 + 7 * config.layers);
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let path = rest.strip_suffix(".weight")?;
    let linear = crate::decoder::Linear::ALL.iter().position(|l| l.path() == path)?;
    Some(1 + 7 * layer.parse::<usize>().ok()? + linear)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(bits(1, 0), 0x1fdd_7128_f310_c389);
        assert_eq!(bits(7, 2), 0x764a_92d2_5992_2a6d);
        assert_eq!(bits(1000, 1), 0x8ae5_2836_6161_0043);
        let expected = [-0.031_293_943_524_360_66, -0.006_056_455_429_643_393, -0.028_463_378_548_622_13];
        for (n, want) in expected.into_iter().enumerate() {
            let got = f64::from(value(1, n as u64, 1.0 / 576_f64.sqrt()));
            assert!((got - want).abs() < 1e-17, "{got} {want}");
        }
        let got = f64::from(value(1000, 2, 0.02 * 3_f64.sqrt()));
        assert!((got - 0.028_128_836_303_949_356).abs() < 1e-17);
    }
}
