//! `validation.json`: what was measured, against which budget, and the verdict.

use serde::Serialize;

use super::{Agreement, Speed, compare::Figures};

/// Whether the artifact is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Within the budget.
    Published,
    /// Beyond it, or not a number.
    Refused,
}

/// One probe's distances.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeReport {
    /// Its name.
    pub(crate) name: String,
    /// Its length in tokens.
    pub(crate) tokens: usize,
    /// Distances.
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// Perplexity of both sides on the validation text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Perplexity {
    /// Of the source, computed in float32.
    pub(crate) source: f64,
    /// Of the artifact, computed by ONNX Runtime.
    pub(crate) artifact: f64,
    /// Artifact over source.
    pub(crate) ratio: f64,
    /// Predicted tokens.
    pub(crate) tokens: usize,
    /// Where the text came from.
    pub(crate) text: String,
}

/// Bytes of weights and graph.
#[allow(clippy::struct_field_names, reason = "units belong in names")]
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sizes {
    /// Of the source's weight files.
    pub(crate) source_bytes: u64,
    /// Of the source's weights as float32, which a size is fairly held against when the source is itself quantised.
    pub(crate) source_float32_bytes: u64,
    /// Of the artifact's model files.
    pub(crate) artifact_bytes: u64,
}

/// Everything that `validation.json` says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) quantization: String,
    pub(crate) target: String,
    /// What was run to validate: library build and execution provider.
    pub(crate) runtime: String,
    pub(crate) budget: serde_json::Value,
    pub(crate) perplexity: Perplexity,
    /// Distances over the validation text.
    pub(crate) agreement: Figures,
    pub(crate) probes: Vec<ProbeReport>,
    pub(crate) sizes: Sizes,
    pub(crate) speed: Speed,
    /// What calibration decided.
    pub(crate) calibration: serde_json::Value,
    /// SHA-256 of the files that text goes through.
    pub(crate) hashes: serde_json::Map<String, serde_json::Value>,
}

/// Perplexities of an agreement, with their ratio.
pub(crate) fn perplexity_ratio(agreement: &Agreement, text: String) -> Perplexity {
    let (source, artifact, tokens) = agreement.perplexities();
    Perplexity { source, artifact, ratio: artifact / source, tokens, text }
}
