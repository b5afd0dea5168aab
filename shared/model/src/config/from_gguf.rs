//! The configuration in a GGUF file's metadata.

use super::{Architecture, ModelConfig, RopeScaling};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Value};

/// Metadata of one architecture, whose keys all start with its name.
struct Keys<'a> {
    gguf: &'a Gguf,
    prefix: &'a str,
}

impl Keys<'_> {
    fn get(&self, key: &str) -> (String, Option<&Value>) {
        let full = format!("{}.{key}", self.prefix);
        let value = self.gguf.get(&full);
        (full, value)
    }

    fn size(&self, key: &str) -> Result<Option<usize>> {
        let (full, value) = self.get(key);
        value
            .map(|v| {
                let n = v.as_u64().and_then(|n| usize::try_from(n).ok());
                n.ok_or_else(|| Error::config(full, "not one whole number"))
            })
            .transpose()
    }

    fn required(&self, key: &str) -> Result<usize> {
        self.size(key)?.ok_or_else(|| Error::config(format!("{}.{key}", self.prefix), "missing"))
    }

    /// A float; 32-bit ones are read as the decimal they were written from (1e-5, not 9.99999974e-6).
    fn number(&self, key: &str) -> Result<Option<f64>> {
        let (full, value) = self.get(key);
        value
            .map(|v| {
                let number = v.as_f64().ok_or_else(|| Error::config(full.clone(), "not a number"))?;
                let short = number as f32;
                if f64::from(short).to_bits() == number.to_bits() {
                    return short.to_string().parse().map_err(|_| Error::config(full, "not a number"));
                }
                Ok(number)
            })
            .transpose()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key).1.and_then(Value::as_str)
    }
}

impl ModelConfig {
    /// Reads the metadata of a GGUF file.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let prefix = gguf.text("general.architecture")?;
        let architecture = Architecture::from_model_type(prefix)?;
        let keys = Keys { gguf, prefix };
        let (hidden_size, heads) =
            (keys.required("embedding_length")?, keys.required("attention.head_count")?);
        let head_dim = match keys.size("attention.key_length")? {
            Some(width) => width,
            None => hidden_size.checked_div(heads).unwrap_or(0),
        };
        if keys.size("rope.dimension_count")?.is_some_and(|n| n != head_dim) {
            return Err(Error::Unsupported("rotary embedding of only a part of each head".to_owned()));
        }
        if keys.size("expert_count")?.is_some_and(|n| n > 0) {
            return Err(Error::Unsupported("mixtures of experts".to_owned()));
        }
        let layers = keys.required("block_count")?;
        if layers > super::MAX_LAYERS {
            return Err(Error::config("block_count", format!("{layers} is out of range")));
        }
        let max_positions = keys.required("context_length")?;
        let rope_theta = keys.number("rope.freq_base")?.unwrap_or(10_000.0);
        let token = |key: &str| gguf.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let config = Self {
            architecture,
            hidden_size,
            intermediate_size: keys.required("feed_forward_length")?,
            layers,
            heads,
            kv_heads: keys.size("attention.head_count_kv")?.unwrap_or(heads),
            head_dim,
            vocab_size: vocabulary(gguf, &keys)?,
            max_positions,
            sliding_window: keys
                .size("attention.sliding_window")?
                .filter(|&w| w > 0 && architecture == Architecture::Mistral),
            rms_norm_eps: keys.number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling: rope_scaling(&keys, rope_theta, head_dim, max_positions)?,
            rotated_layers: rotated_layers(architecture, layers),
            tie_word_embeddings: gguf.tensor("output.weight").is_none(),
            qkv_bias: gguf.tensor("blk.0.attn_q.bias").is_some(),
            output_bias: gguf.tensor("blk.0.attn_output.bias").is_some(),
            mlp_bias: gguf.tensor("blk.0.ffn_down.bias").is_some(),
            qk_norm: architecture == Architecture::Qwen3,
            initializer_range: 0.02,
            bos_token_id: token("tokenizer.ggml.bos_token_id"),
            eos_token_ids: token("tokenizer.ggml.eos_token_id").into_iter().collect(),
            pad_token_id: token("tokenizer.ggml.padding_token_id").or(token("tokenizer.ggml.eos_token_id")),
        };
        config.validate()?;
        Ok(config)
    }
}

fn vocabulary(gguf: &Gguf, keys: &Keys<'_>) -> Result<usize> {
    let rows = gguf.tensor("token_embd.weight").map(|t| t.shape[0]);
    match (rows, keys.size("vocab_size")?) {
        (Some(rows), _) => Ok(rows),
        (None, Some(size)) => Ok(size),
        (None, None) => Err(Error::malformed(gguf.path(), "tensor `token_embd.weight` is missing")),
    }
}

fn rotated_layers(architecture: Architecture, layers: usize) -> Vec<bool> {
    let every_fourth = architecture == Architecture::SmolLm3;
    (0..layers).map(|layer| !(every_fourth && (layer + 1).is_multiple_of(4))).collect()
}

fn rope_scaling(keys: &Keys<'_>, theta: f64, head_dim: usize, max_positions: usize) -> Result<RopeScaling> {
    if keys.gguf.tensor("rope_freqs.weight").is_some() {
        let declared = keys.size("rope.scaling.original_context_length")?;
        let factors = keys.gguf.read_f32("rope_freqs.weight")?;
        return llama3_from_factors(&factors, theta, head_dim, declared);
    }
    let factor = keys.number("rope.scaling.factor")?;
    match (keys.text("rope.scaling.type"), factor) {
        (None | Some("none"), _) | (Some("linear"), None) => Ok(RopeScaling::None),
        (Some("linear"), Some(factor)) => Ok(RopeScaling::Linear { factor }),
        (Some("yarn"), Some(factor)) => Ok(RopeScaling::Yarn {
            factor,
            original_max_positions: keys
                .size("rope.scaling.original_context_length")?
                .unwrap_or(max_positions),
            beta_fast: keys.number("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
            beta_slow: keys.number("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
            attention_factor: keys.number("rope.scaling.attn_factor")?.unwrap_or(1.0)
                * RopeScaling::yarn_attention_factor(factor),
            truncate: true,
        }),
        (Some(kind), _) => Err(Error::Unsupported(format!("rope scaling `{kind}`"))),
    }
}

/// llama.cpp stores Llama 3's stretching as a divisor a frequency; the parameters it was made from are found again, so that
/// the model can be written as a Hugging Face folder. Only the quotients of `original_max_positions` and the two frequency
/// factors show in the divisors, so the low one is 1, as in every published model.
fn llama3_from_factors(
    factors: &[f32],
    theta: f64,
    head_dim: usize,
    declared: Option<usize>,
) -> Result<RopeScaling> {
    let refused =
        || Error::Unsupported("`rope_freqs.weight` that is not Llama 3's frequency scaling".to_owned());
    if factors.len() != head_dim / 2 || factors.iter().any(|f| !f.is_finite()) {
        return Err(refused());
    }
    let largest = factors.iter().copied().fold(1.0_f32, f32::max);
    if (largest - 1.0).abs() < 1e-6 {
        return Ok(RopeScaling::None);
    }
    let stretched = Stretched { factors, factor: f64::from(largest), theta, head_dim };
    let published = [declared, Some(8192)].into_iter().flatten().map(|length| (length as f64, 4.0));
    let (length, high) = published
        .chain(stretched.fitted())
        .find(|&(length, high)| stretched.is_made_from(length, high))
        .ok_or_else(refused)?;
    Ok(RopeScaling::Llama3 {
        factor: stretched.factor,
        low_freq_factor: 1.0,
        high_freq_factor: high,
        original_max_positions: length as usize,
    })
}

/// Divisors of the rotary frequencies, the largest of them `factor`.
struct Stretched<'a> {
    factors: &'a [f32],
    factor: f64,
    theta: f64,
    head_dim: usize,
}

impl Stretched<'_> {
    fn wavelength(&self, index: usize) -> f64 {
        2.0 * std::f64::consts::PI * self.theta.powf((2 * index) as f64 / self.head_dim as f64)
    }

    /// Whether Llama 3's formula gives these divisors with a low frequency factor of 1.
    fn is_made_from(&self, length: f64, high: f64) -> bool {
        self.factors.iter().enumerate().all(|(index, &found)| {
            let turns = length / self.wavelength(index);
            let expected = if turns > high {
                1.0
            } else if turns < 1.0 {
                self.factor
            } else {
                let smooth = (turns - 1.0) / (high - 1.0);
                1.0 / ((1.0 - smooth) / self.factor + smooth)
            };
            (f64::from(found) / expected - 1.0).abs() <= 1e-3
        })
    }

    /// Length and high frequency factor, from the line `smooth = (length / wavelength - 1) / (high - 1)` through the two
    /// outermost divisors of the passage between.
    fn fitted(&self) -> Option<(f64, f64)> {
        let between =
            |&(_, &found): &(usize, &f32)| found > 1.0001 && f64::from(found) < self.factor * 0.9999;
        let mut inner = self.factors.iter().enumerate().filter(between);
        let (first, last) = (inner.next()?, inner.next_back()?);
        let point = |(index, &found): (usize, &f32)| {
            let smooth = (1.0 / f64::from(found) - 1.0 / self.factor) / (1.0 - 1.0 / self.factor);
            (1.0 / self.wavelength(index), smooth)
        };
        let ((x0, y0), (x1, y1)) = (point(first), point(last));
        let slope = (y1 - y0) / (x1 - x0);
        let high = 1.0 - 1.0 / (y0 - slope * x0);
        let length = slope * (high - 1.0);
        (high.is_finite() && high > 1.0 && length > 0.0).then(|| (length.round(), high))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// The divisors that llama.cpp's converter writes.
    fn divisors(head_dim: usize, length: f64, low: f64, high: f64, factor: f64) -> Vec<f32> {
        let divisor = |index: usize| {
            let wavelength =
                2.0 * std::f64::consts::PI * 500_000_f64.powf((2 * index) as f64 / head_dim as f64);
            if wavelength < length / high {
                return 1.0;
            }
            if wavelength > length / low {
                return factor as f32;
            }
            let smooth = (length / wavelength - low) / (high - low);
            (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
        };
        (0..head_dim / 2).map(divisor).collect()
    }

    fn found(factors: &[f32], head_dim: usize, declared: Option<usize>) -> Option<(f64, f64, usize)> {
        match llama3_from_factors(factors, 500_000.0, head_dim, declared).ok()? {
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                assert!((low_freq_factor - 1.0).abs() < f64::EPSILON);
                Some((factor, high_freq_factor, original_max_positions))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn llama3_is_found_again_from_its_divisors() {
        assert_eq!(found(&divisors(64, 8192.0, 1.0, 4.0, 32.0), 64, None), Some((32.0, 4.0, 8192)));
        assert_eq!(found(&divisors(128, 4096.0, 1.0, 4.0, 8.0), 128, Some(4096)), Some((8.0, 4.0, 4096)));
        // Nothing declares the length: it is read off the divisors.
        for (length, low, high) in [(4096.0, 1.0, 4.0), (16384.0, 2.0, 16.0)] {
            let (factor, ratio, found) = found(&divisors(128, length, low, high, 8.0), 128, None).unwrap();
            assert!((factor - 8.0).abs() < 1e-9 && (ratio - high / low).abs() < 0.01, "{ratio}");
            assert!((found as f64 - length / low).abs() < 4.0, "{found}");
        }
    }

    #[test]
    fn other_divisors_are_refused() {
        let mut factors = divisors(64, 8192.0, 1.0, 4.0, 32.0);
        factors[3] = 2.0;
        assert_eq!(found(&factors, 64, None), None);
        assert_eq!(found(&[1.0, f32::NAN], 4, None), None);
        assert_eq!(found(&[1.0; 8], 64, None), None);
        let longrope: Vec<f32> = (0..32).map(|n| 1.0 + n as f32).collect();
        assert_eq!(found(&longrope, 64, None), None);
        let plain = llama3_from_factors(&[1.0; 32], 500_000.0, 64, None).unwrap();
        assert_eq!(plain, RopeScaling::None);
    }
}
