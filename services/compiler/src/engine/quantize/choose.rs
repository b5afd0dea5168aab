//! The choice for one group of linears, by measured output error.

use anneal_model::ModelConfig;
use candle_core::{Device, Tensor};

use super::{
    Samples,
    block::round_rows,
    plan::{Decision, Precise, widen},
};
use crate::engine::{error::Result, weights::Matrix};

/// How much of the activations' range moves into the weights: SmoothQuant's α. 0 is missing: no smoothing at all.
const STRENGTHS: [f32; 3] = [0.4, 0.6, 0.8];
/// Activations stay floats where rounding them costs more than this share of the output (root mean square).
const TOLERATED_ERROR: f64 = 0.05;
/// A rescaling must earn its keep: it also changes rounding elsewhere.
const WORTHWHILE: f64 = 0.9;

/// A decision and the errors that led to it (shares of the output, root mean square).
pub(crate) struct Choice {
    pub(crate) decision: Decision,
    pub(crate) plain_error: f64,
    pub(crate) error: f64,
}

/// Decides for the linears `weights` (all of them read `samples`), in blocks of `block`.
pub(crate) fn choose(
    config: &ModelConfig,
    samples: &Samples,
    weights: &[Matrix],
    block: usize,
) -> Result<Choice> {
    let inputs = Inputs::new(config, samples, weights)?;
    let plain_error = inputs.error(&[], block, true)?;
    let mut best = (Vec::new(), plain_error);
    for strength in STRENGTHS {
        let divisors = inputs.divisors(strength);
        let error = inputs.error(&divisors, block, true)?;
        if error < best.1.min(plain_error * WORTHWHILE) {
            best = (divisors, error);
        }
    }
    let (divisors, mut error) = best;
    let mut precise = Precise::Rounded;
    if error > TOLERATED_ERROR {
        precise = Precise::Float;
        error = inputs.error(&divisors, block, false)?;
    }
    Ok(Choice { decision: Decision { divisors, precise }, plain_error, error })
}

struct Inputs<'a> {
    config: &'a ModelConfig,
    samples: &'a Samples,
    weights: &'a [Matrix],
    /// Exact outputs of every linear, `[rows, out]`.
    exact: Vec<Vec<f32>>,
    columns: usize,
}

impl<'a> Inputs<'a> {
    fn new(config: &'a ModelConfig, samples: &'a Samples, weights: &'a [Matrix]) -> Result<Self> {
        let columns = samples.peaks.len();
        let exact = weights
            .iter()
            .map(|weight| product(&samples.rows, &weight.values, columns))
            .collect::<Result<_>>()?;
        Ok(Self { config, samples, weights, exact, columns })
    }

    /// SmoothQuant's divisors `peak(x)^α / peak(w)^(1−α)`, scaled to a geometric mean of one.
    fn divisors(&self, strength: f32) -> Vec<f32> {
        let mut weight_peaks = vec![1e-8_f32; self.columns];
        for weight in self.weights {
            for row in weight.values.chunks_exact(self.columns) {
                weight_peaks.iter_mut().zip(row).for_each(|(peak, value)| *peak = peak.max(value.abs()));
            }
        }
        let activation_peaks = self.narrow(&self.samples.peaks);
        let weight_peaks = self.narrow(&weight_peaks);
        let raw: Vec<f32> = activation_peaks
            .iter()
            .zip(&weight_peaks)
            .map(|(x, w)| (x.max(1e-5).ln() * strength - w.ln() * (1.0 - strength)).clamp(-20.0, 20.0))
            .collect();
        let mean = raw.iter().sum::<f32>() / raw.len().max(1) as f32;
        raw.iter().map(|value| (value - mean).clamp(-6.0, 6.0).exp()).collect()
    }

    /// Peaks of the channels that divisors belong to: of several heads that read one value, the greatest.
    fn narrow(&self, peaks: &[f32]) -> Vec<f32> {
        if self.samples.group != super::Group::AttentionOut {
            return peaks.to_vec();
        }
        let (width, repeat) = (self.config.head_dim, self.config.heads / self.config.kv_heads);
        let group = |heads: &[f32]| -> Vec<f32> {
            (0..width)
                .map(|channel| heads.iter().skip(channel).step_by(width).fold(0.0, |a: f32, &b| a.max(b)))
                .collect()
        };
        peaks.chunks(width * repeat).flat_map(group).collect()
    }

    /// Root mean square over rows and linears of |error| / |output|.
    fn error(&self, divisors: &[f32], block: usize, round_activations: bool) -> Result<f64> {
        let wide = widen(self.config, self.samples.group, divisors);
        let mut rows = self.samples.rows.clone();
        if !wide.is_empty() {
            for row in rows.chunks_exact_mut(self.columns) {
                row.iter_mut().zip(&wide).for_each(|(value, divisor)| *value /= divisor);
            }
        }
        if round_activations {
            round_rows(&mut rows, self.columns, block);
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for (weight, exact) in self.weights.iter().zip(&self.exact) {
            let mut weight = weight.clone();
            if !wide.is_empty() {
                weight.scale_columns(&wide);
            }
            round_rows(&mut weight.values, self.columns, block);
            let found = product(&rows, &weight.values, self.columns)?;
            for (found, exact) in found.chunks_exact(weight.rows).zip(exact.chunks_exact(weight.rows)) {
                let square =
                    |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
                let wrong = square(&mut found.iter().zip(exact).map(|(a, b)| f64::from(a - b)));
                let size = square(&mut exact.iter().map(|&value| f64::from(value)));
                if size > 0.0 {
                    sum += wrong / size;
                    count += 1.0;
                }
            }
        }
        Ok(if count > 0.0 { f64::sqrt(sum / count) } else { 0.0 })
    }
}

/// `x Wᵀ`, row-major.
fn product(rows: &[f32], weight: &[f32], columns: usize) -> Result<Vec<f32>> {
    let tensor = |values: &[f32]| Tensor::from_slice(values, (values.len() / columns, columns), &Device::Cpu);
    Ok(tensor(rows)?.matmul(&tensor(weight)?.t()?)?.flatten_all()?.to_vec1()?)
}
