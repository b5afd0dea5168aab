//! Random weights to pretrain from, by seed: normal with the model's `initializer_range`; norms 1, biases 0.

use anneal_model::{Decoder, formula};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{Error, Result};

/// Gives every matrix of a fully trained model new values.
pub(crate) fn from_seed(decoder: &Decoder, seed: u64) -> Result<()> {
    let deviation = decoder.config().initializer_range;
    let matrices: Vec<_> = decoder.trainable().into_iter().filter(|(_, var)| var.dims().len() == 2).collect();
    for (index, (name, var)) in matrices.into_iter().enumerate() {
        let key = formula::bits(seed, 1 + index as u64);
        let pairs = var.elem_count().div_ceil(2) as u64;
        let mut values: Vec<f32> =
            (0..pairs).into_par_iter().flat_map_iter(|pair| normal_pair(key, pair, deviation)).collect();
        values.truncate(var.elem_count());
        let tensor = Tensor::from_vec(values, var.dims(), &Device::Cpu)?;
        decoder.set_trainable(&[(name, tensor)]).map_err(Error::model("model"))?;
    }
    Ok(())
}

/// Box and Muller 1958.
fn normal_pair(key: u64, pair: u64, deviation: f64) -> [f32; 2] {
    let unit = |n: u64| (formula::bits(0, key.wrapping_add(n)) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
    let radius = deviation * (-2.0 * (1.0 - unit(2 * pair)).ln()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * unit(2 * pair + 1)).sin_cos();
    [(radius * cosine) as f32, (radius * sine) as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_the_asked_one() {
        let values: Vec<f64> =
            (0..50_000).flat_map(|pair| normal_pair(9, pair, 0.02)).map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((deviation - 0.02).abs() < 2e-4, "{deviation}");
    }
}
