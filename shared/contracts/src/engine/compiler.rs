//! `anneal-compiler run SPEC.json`: which model, for which runtime, at which precision, within which budget.
//!
//! Writes the compiled folder and `validation.json` under `output_dir`.
//! `result` figures: `verdict` (`published` or `refused`), `compiled_dir` (`null` when refused), `validation_path`,
//! `perplexity_ratio`, `top1_agreement`, `size_bytes`, `source_size_bytes`, `tokens_per_second`, `seconds`, `peak_rss_bytes`.

use serde::{Deserialize, Serialize};

pub use anneal_domain::spec::{Quantization, Target};

use super::ModelInput;

/// The compiler's spec file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompilerSpec {
    /// The model to compile.
    pub model: ModelInput,
    /// Weight precision of the artifact.
    pub quantization: Quantization,
    /// The device class that will run it.
    pub target: Target,
    /// Calibration text; required for `int8`, refused otherwise.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// What the artifact is held against before it is published.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// CPU threads; 0 takes all.
    #[serde(default)]
    pub threads: usize,
    /// Where everything is written.
    pub output_dir: String,
}

/// Calibration text for quantisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// A text or chat dataset: file or folder.
    pub dataset: String,
    /// Sequences used.
    #[serde(default = "default_samples")]
    pub samples: usize,
    /// Tokens of each.
    #[serde(default = "default_sequence_length")]
    pub sequence_length: usize,
}

/// What the artifact is held against before it is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Text whose perplexity is compared; the engine's built-in probes when absent.
    #[serde(default)]
    pub dataset: Option<String>,
    /// How much worse than its source the artifact may be.
    #[serde(default)]
    pub budget: Budget,
}

/// How much worse than its source the artifact may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Largest accepted perplexity of the artifact over that of the source.
    pub perplexity_ratio: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { perplexity_ratio: 1.05 }
    }
}

const fn default_samples() -> usize {
    128
}
const fn default_sequence_length() -> usize {
    512
}
