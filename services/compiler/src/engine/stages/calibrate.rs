//! Calibration: real text through the float32 graph, then a decision for every group of linears.

use std::{fs, path::Path};

use anneal_contracts::engine::{Calibration, Level};
use serde_json::{Value, json};

use crate::engine::{
    error::{Error, Result},
    graph::{Recipe, write_decoder},
    job::{BLOCK, Job},
    onnx::INLINE_LIMIT_BYTES,
    quantize::{Calibrator, Choice, Group, Plan, Precise, Samples, choose},
    reporter::Reporter,
    text::{Texts, sequences},
    weights::{Matrix, Weights},
};

/// A plan, and what the certificate says of it.
pub(crate) struct Calibrated {
    pub(crate) plan: Plan,
    pub(crate) summary: Value,
}

/// For precisions that need no calibration.
pub(crate) fn none() -> Calibrated {
    Calibrated { plan: Plan::default(), summary: Value::Null }
}

pub(crate) fn calibrate(
    job: &Job,
    calibration: &Calibration,
    weights: &Weights,
    reporter: &mut Reporter,
) -> Result<Calibrated> {
    let samples = reporter.stage("calibrate", |reporter| observe(job, calibration, weights, reporter))?;
    reporter.stage("quantize", |reporter| decide(weights, &samples, calibration, reporter))
}

/// Activations of the calibration text.
fn observe(
    job: &Job,
    calibration: &Calibration,
    weights: &Weights,
    reporter: &mut Reporter,
) -> Result<Vec<Samples>> {
    let config = weights.config();
    let template = weights.source().chat_template()?;
    let texts = Texts {
        path: Path::new(&calibration.dataset),
        field: "calibration.dataset",
        template: template.as_ref(),
    };
    let length = calibration.sequence_length.min(config.context_length());
    let tokenizer = weights.source().tokenizer()?;
    let sequences = sequences(&texts, &tokenizer, calibration.samples, length)?;
    if sequences.is_empty() {
        return Err(Error::spec("calibration.dataset", "holds no text of at least eight tokens"));
    }
    let tokens: usize = sequences.iter().map(Vec::len).sum();
    reporter.log(Level::Info, format!("calibrating on {} sequences, {tokens} tokens", sequences.len()));
    let folder = job.work.join("reference");
    fs::create_dir_all(&folder).map_err(|source| Error::file(&folder, source))?;
    write_decoder(&folder, weights, &Recipe::reference(true), &Plan::default(), INLINE_LIMIT_BYTES, |_| {
        reporter.check_stop()
    })?;
    let mut calibrator = Calibrator::open(&folder, config, sequences.len(), job.threads)?;
    for (done, sequence) in sequences.iter().enumerate() {
        calibrator.feed(sequence)?;
        reporter.progress(done + 1, sequences.len(), "samples")?;
    }
    fs::remove_dir_all(&folder).map_err(|source| Error::file(&folder, source))?;
    Ok(calibrator.finish())
}

fn decide(
    weights: &Weights,
    samples: &[Samples],
    calibration: &Calibration,
    reporter: &mut Reporter,
) -> Result<Calibrated> {
    let config = weights.config();
    let mut plan = Plan::for_layers(config.layers);
    let mut told = Vec::new();
    for (done, sample) in samples.iter().enumerate() {
        let matrices = sample
            .group
            .modules()
            .iter()
            .map(|module| weights.matrix(&format!("model.layers.{}.{module}.weight", sample.layer)));
        let matrices: Vec<Matrix> = matrices.collect::<Result<_>>()?;
        let choice = choose(config, sample, &matrices, BLOCK)?;
        told.push(describe(sample.layer, sample.group, &choice));
        plan.set(sample.layer, sample.group, choice.decision);
        reporter.progress(done + 1, samples.len(), "groups")?;
    }
    let count = |key: &str| told.iter().filter(|group| group[key] == json!(true)).count();
    reporter.log(
        Level::Info,
        format!(
            "of {} groups of linears, {} had their inputs rescaled and {} keep floating-point activations",
            told.len(),
            count("rescaled"),
            count("float_activations"),
        ),
    );
    let summary = json!({
        "method": "weights: symmetric 8-bit blocks; activations: 8-bit blocks where the measured output error allows it; \
                   channels rescaled (SmoothQuant) where that lowers the error",
        "block": BLOCK,
        "dataset": calibration.dataset,
        "samples": calibration.samples,
        "groups": told,
    });
    Ok(Calibrated { plan, summary })
}

fn describe(layer: usize, group: Group, choice: &Choice) -> Value {
    json!({
        "layer": layer,
        "group": group.name(),
        "rescaled": !choice.decision.divisors.is_empty(),
        "float_activations": choice.decision.precise == Precise::Float,
        "error_plain": choice.plain_error,
        "error": choice.error,
    })
}
