//! Rotary position embedding: frequencies under each kind of stretching, and the cosine and sine tables.
//!
//! The formulas are those of transformers' `modeling_rope_utils.py`, in the same single precision.

use candle_core::{Device, Tensor};

use super::ModelConfig;
use crate::error::{Error, Result};

/// How rotary frequencies are stretched beyond the length a model was first trained at.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// Every frequency divided by `factor` (position interpolation).
    Linear {
        /// Divisor, at least 1.
        factor: f64,
    },
    /// Llama 3.1: long wavelengths divided, short ones kept, a smooth passage between.
    Llama3 {
        /// Divisor of the long wavelengths.
        factor: f64,
        /// Wavelengths beyond `original_max_positions / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Length of the first training.
        original_max_positions: usize,
    },
    /// YaRN (Peng et al. 2023): interpolation by frequency, and warmer attention.
    Yarn {
        /// Divisor of the interpolated frequencies.
        factor: f64,
        /// Length of the first training.
        original_max_positions: usize,
        /// Rotations above which a frequency is kept.
        beta_fast: f64,
        /// Rotations below which a frequency is fully interpolated.
        beta_slow: f64,
        /// Factor on cosine and sine.
        attention_factor: f64,
        /// Whether the passage's ends are rounded to whole dimensions.
        truncate: bool,
    },
}

impl RopeScaling {
    pub(super) fn validate(&self) -> Result<()> {
        let positive = |field: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::config(format!("rope_scaling.{field}"), "must be positive"))
            }
        };
        match *self {
            Self::None => Ok(()),
            Self::Linear { factor } => positive("factor", factor),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                positive("factor", factor)?;
                positive("low_freq_factor", low_freq_factor)?;
                positive("high_freq_factor", high_freq_factor)?;
                positive("original_max_position_embeddings", original_max_positions as f64)?;
                if low_freq_factor >= high_freq_factor {
                    return Err(Error::config(
                        "rope_scaling.low_freq_factor",
                        "must be below high_freq_factor",
                    ));
                }
                Ok(())
            }
            Self::Yarn { factor, original_max_positions, beta_fast, beta_slow, attention_factor, .. } => {
                positive("factor", factor)?;
                positive("original_max_position_embeddings", original_max_positions as f64)?;
                positive("beta_fast", beta_fast)?;
                positive("beta_slow", beta_slow)?;
                positive("attention_factor", attention_factor)
            }
        }
    }

    /// YaRN's default attention factor for a stretch of `factor`.
    pub fn yarn_attention_factor(factor: f64) -> f64 {
        if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 }
    }
}

/// A model's rotary frequencies, ready to give cosines and sines at any position.
#[derive(Debug, Clone)]
pub struct RotaryTables {
    inverse_frequencies: Vec<f32>,
    attention_factor: f32,
}

impl RotaryTables {
    /// The frequencies of a configuration; `head_dim / 2` of them.
    pub fn new(config: &ModelConfig) -> Self {
        let base = plain_frequencies(config.rope_theta, config.head_dim);
        let attention_factor = match config.rope_scaling {
            RopeScaling::Yarn { attention_factor, .. } => attention_factor as f32,
            _ => 1.0,
        };
        Self { inverse_frequencies: stretch(base, config), attention_factor }
    }

    /// The angle a position advances by, a dimension.
    pub fn inverse_frequencies(&self) -> &[f32] {
        &self.inverse_frequencies
    }

    /// The factor on every cosine and sine (YaRN's warmer attention; otherwise 1).
    pub fn attention_factor(&self) -> f32 {
        self.attention_factor
    }

    /// Cosine and sine, each `[t, head_dim / 2]` in f32, of the given positions.
    pub fn at(&self, positions: &[u32], device: &Device) -> Result<(Tensor, Tensor)> {
        let half = self.inverse_frequencies.len();
        let mut cosines = Vec::with_capacity(positions.len() * half);
        let mut sines = Vec::with_capacity(positions.len() * half);
        for &position in positions {
            for &frequency in &self.inverse_frequencies {
                let (sine, cosine) = (position as f32 * frequency).sin_cos();
                cosines.push(cosine * self.attention_factor);
                sines.push(sine * self.attention_factor);
            }
        }
        let shape = (positions.len(), half);
        Ok((Tensor::from_vec(cosines, shape, device)?, Tensor::from_vec(sines, shape, device)?))
    }
}

fn plain_frequencies(theta: f64, head_dim: usize) -> Vec<f32> {
    (0..head_dim).step_by(2).map(|i| 1.0 / (theta as f32).powf(i as f32 / head_dim as f32)).collect()
}

fn stretch(frequencies: Vec<f32>, config: &ModelConfig) -> Vec<f32> {
    match config.rope_scaling {
        RopeScaling::None => frequencies,
        RopeScaling::Linear { factor } => frequencies.into_iter().map(|f| f / factor as f32).collect(),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
            let length = original_max_positions as f64;
            let (long, short) = (length / low_freq_factor, length / high_freq_factor);
            frequencies
                .into_iter()
                .map(|f| {
                    let wavelength = 2.0 * std::f32::consts::PI / f;
                    if wavelength > long as f32 {
                        f / factor as f32
                    } else if wavelength < short as f32 {
                        f
                    } else {
                        let smooth = (length as f32 / wavelength - low_freq_factor as f32)
                            / (high_freq_factor - low_freq_factor) as f32;
                        (1.0 - smooth) * f / factor as f32 + smooth * f
                    }
                })
                .collect()
        }
        RopeScaling::Yarn { factor, original_max_positions, beta_fast, beta_slow, truncate, .. } => {
            let half = frequencies.len();
            let correction = |rotations: f64| {
                let turns = original_max_positions as f64 / (rotations * 2.0 * std::f64::consts::PI);
                (2 * half) as f64 * turns.ln() / (2.0 * config.rope_theta.ln())
            };
            let (mut low, mut high) = (correction(beta_fast), correction(beta_slow));
            if truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            (low, high) = (low.max(0.0), high.min((2 * half - 1) as f64));
            if (low - high).abs() < f64::EPSILON {
                high += 0.001;
            }
            let ramp = |i: usize| ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
            frequencies
                .into_iter()
                .enumerate()
                .map(|(i, f)| {
                    let keep = 1.0 - ramp(i);
                    let interpolated = 1.0 / (factor as f32 * (1.0 / f));
                    interpolated * (1.0 - keep) + f * keep
                })
                .collect()
        }
    }
}
