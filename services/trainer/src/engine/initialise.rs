//! Weights to pretrain from: random ones by seed, normal with the model's `initializer_range` (norms 1, biases 0), or those of
//! a file. Each tensor is made once, when the model asks for it.

use std::{collections::HashMap, path::Path};

use anneal_model::{ModelConfig, formula, weights::SafeTensors};
use candle_core::{Device, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{Error, Result};

/// Values that one thread draws at a time.
const CHUNK: usize = 1 << 14;

/// Values of a tensor by name and shape, drawn by `seed`.
pub(crate) fn from_seed(config: &ModelConfig, seed: u64) -> impl Fn(&str, &[usize]) -> Vec<f32> + use<> {
    let deviation = config.initializer_range;
    let matrices = config.tensor_shapes().into_iter().filter(|(_, shape)| shape.len() == 2);
    let streams: HashMap<String, u64> =
        matrices.zip(1..).map(|((name, _), n)| (name, formula::bits(seed, n))).collect();
    move |name, shape| {
        let count = shape.iter().product();
        match streams.get(name) {
            Some(&key) => normal(key, count, deviation),
            None if name.rsplit_once('.').is_some_and(|(_, kind)| kind == "bias") => vec![0.0; count],
            None => vec![1.0; count],
        }
    }
}

/// A safetensors file that holds exactly the tensors `shapes`; the spec's `field` names it.
pub(crate) fn open_file(
    path: &Path,
    shapes: &[(String, Vec<usize>)],
    field: &'static str,
) -> Result<SafeTensors> {
    let file = SafeTensors::open(path).map_err(Error::model(field))?;
    let wrong = |reason: String| Error::spec(field, format!("{}: {reason}", path.display()));
    let known = |name: &str| shapes.iter().any(|(known, _)| known == name);
    // Where it is tied to the embedding, writers differ in whether they store it.
    let unknown = file.names().iter().find(|name| !known(name) && name.as_str() != "lm_head.weight");
    if let Some(name) = unknown {
        return Err(wrong(format!("`{name}` is not a trained tensor")));
    }
    for (name, shape) in shapes {
        match file.info(name) {
            None => return Err(wrong(format!("tensor `{name}` is missing"))),
            Some(info) if info.shape != *shape => {
                return Err(wrong(format!("tensor `{name}` has shape {:?}, not {shape:?}", info.shape)));
            }
            Some(_) => {}
        }
    }
    Ok(file)
}

/// The tensors of an adapter's file in place of its random ones.
pub(crate) fn read_adapter(path: &Path, shapes: &[(String, Vec<usize>)]) -> Result<Vec<(String, Tensor)>> {
    let field = "lora.initial_adapter";
    let file = open_file(path, shapes, field)?;
    let read = |(name, _): &(String, Vec<usize>)| -> Result<(String, Tensor)> {
        let (shape, values) = file.read_f32(name).map_err(Error::model(field))?;
        Ok((name.clone(), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    shapes.iter().map(read).collect()
}

/// Each chunk from a stream of its own, so that a value depends on its place alone.
fn normal(key: u64, count: usize, deviation: f64) -> Vec<f32> {
    let mut values = vec![0.0; count];
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        let mut random = ChaCha8Rng::seed_from_u64(key);
        random.set_stream(chunk as u64);
        let drawn = StandardNormal.sample_iter(random);
        for (value, drawn) in values.iter_mut().zip(drawn) {
            let drawn: f64 = drawn;
            *value = (deviation * drawn) as f32;
        }
    });
    values
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the same draws give the same bits")]
mod tests {
    use anneal_model::formula::TinyModel;

    use super::*;

    #[test]
    fn the_deviation_is_the_asked_one() {
        let values: Vec<f64> = normal(9, 100_001, 0.02).into_iter().map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((deviation - 0.02).abs() < 2e-4, "{deviation}");
    }

    #[test]
    fn a_value_depends_on_its_place_only() {
        let (long, short) = (normal(9, 3 * CHUNK + 7, 1.0), normal(9, CHUNK + 1, 1.0));
        assert_eq!(long[..short.len()], short);
        assert_ne!(long[CHUNK..2 * CHUNK], long[..CHUNK]);
    }

    #[test]
    fn every_tensor_has_values_of_its_own() {
        let config = TinyModel::default().config();
        let (one, other) = (from_seed(&config, 1), from_seed(&config, 2));
        let (query, key) =
            ("model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight");
        assert_ne!(one(query, &[32, 32]), one(key, &[32, 32]));
        assert_ne!(one(query, &[32, 32]), other(query, &[32, 32]));
        assert_eq!(one("model.norm.weight", &[2]), [1.0, 1.0]);
        assert_eq!(one("model.layers.0.self_attn.q_proj.bias", &[1]), [0.0]);
    }
}
