//! The stages in order, and what is left behind whichever way they end.

use std::{fs, path::Path, time::Instant};

use anneal_contracts::engine::{ExitKind, Level};
use serde_json::{Map, Value, json};

use super::{
    error::{Error, Result},
    export::{write_companions, write_manifest},
    input,
    job::Job,
    reporter::Reporter,
    stages::{calibrate, export, validate},
    validate::{Report, Verdict},
};

/// Runs a spec file to its end and says how it ended; every outcome has been printed as a line.
pub fn run_spec(spec: &Path, onnxruntime: Option<&Path>, reporter: &mut Reporter) -> ExitKind {
    match Job::read(spec).and_then(|job| run(&job, onnxruntime, reporter)) {
        Ok(()) => ExitKind::Done,
        Err(error) => {
            reporter.line(&error.line());
            error.exit()
        }
    }
}

/// Runs a job. Afterwards `output_dir` holds `validation.json` and, unless refused, the folder `compiled`; on an error
/// it holds neither.
pub fn run(job: &Job, onnxruntime: Option<&Path>, reporter: &mut Reporter) -> Result<()> {
    let begin = Instant::now();
    anneal_onnx::init(&anneal_onnx::find_library(onnxruntime)?)?;
    anneal_kernels::limit_isa().map_err(|error| Error::spec(anneal_kernels::MAX_ISA, error.to_string()))?;
    anneal_kernels::set_threads(job.threads).map_err(anneal_model::Error::from)?;
    clear(job)?;
    fs::create_dir_all(&job.work)
        .map_err(|error| Error::spec("output_dir", format!("{}: {error}", job.work.display())))?;
    let outcome = compile(job, reporter);
    if outcome.is_err() {
        clear(job)?;
    }
    let report = outcome?;
    remove(&job.work)?;
    reporter.result(figures(job, &report, begin.elapsed().as_secs_f64()));
    Ok(())
}

/// Removes what an earlier attempt left.
fn clear(job: &Job) -> Result<()> {
    remove(&job.work)?;
    remove(&job.compiled_dir())?;
    let report = job.validation_path();
    match fs::remove_file(&report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&report, error)),
        _ => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(folder, error)),
        _ => Ok(()),
    }
}

fn compile(job: &Job, reporter: &mut Reporter) -> Result<Report> {
    let weights = reporter.stage("load", |_| input::open(&job.spec.model, &job.work))?;
    input::fits(&job.recipe(), job.spec.calibration.is_some(), weights.config())?;
    let calibrated = match &job.spec.calibration {
        Some(calibration) => calibrate(job, calibration, &weights, reporter)?,
        None => calibrate::none(),
    };
    let artifact = job.work.join("compiled");
    export(job, &weights, &calibrated.plan, &artifact, reporter)?;
    write_companions(&artifact, weights.source(), job.spec.target)?;
    let report = validate(job, &weights, calibrated.summary, &artifact, reporter)?;
    reporter.stage("publish", |reporter| publish(job, &report, &artifact, reporter))?;
    Ok(report)
}

fn publish(job: &Job, report: &Report, artifact: &Path, reporter: &mut Reporter) -> Result<()> {
    super::export::write_json(&job.validation_path(), report)?;
    if report.verdict == Verdict::Refused {
        reporter.log(
            Level::Error,
            format!("refused: {}", report.reason.as_deref().unwrap_or("beyond the budget")),
        );
        return Ok(());
    }
    super::export::write_json(&artifact.join("validation.json"), report)?;
    write_manifest(artifact)?;
    let compiled = job.compiled_dir();
    fs::rename(artifact, &compiled).map_err(|source| Error::file(&compiled, source))
}

fn figures(job: &Job, report: &Report, seconds: f64) -> Map<String, Value> {
    let published = report.verdict == Verdict::Published;
    let figures = json!({
        "verdict": report.verdict,
        "compiled_dir": published.then(|| job.compiled_dir()),
        "validation_path": job.validation_path(),
        "perplexity_ratio": report.perplexity.ratio,
        "top1_agreement": report.agreement.top1_agreement,
        "mean_kl": report.agreement.mean_kl,
        "size_bytes": report.sizes.artifact_bytes,
        "source_size_bytes": report.sizes.source_bytes,
        "source_float32_bytes": report.sizes.source_float32_bytes,
        "tokens_per_second": report.speed.decode_tokens_per_second,
        "seconds": seconds,
        "peak_rss_bytes": anneal_runtime::memory::peak_rss_bytes().ok(),
    });
    match figures {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
