//! Validation: the same tokens through the source in float32 and through the artifact in ONNX Runtime.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anneal_contracts::engine::{Budget, Level};
use anneal_model::{ChatTemplate, Decoder, LoadOptions, Segments, Tokenizer};
use anneal_onnx::{Options, Session};
use serde_json::{Value, json};

use crate::engine::{
    error::{Error, Result},
    export::digests,
    input::{stored_bytes, weight_bytes},
    job::Job,
    reporter::Reporter,
    text::{Texts, windows},
    validate::{
        Agreement, Probe, ProbeReport, Report, Sizes, Verdict, built_in, compare_window, measure,
        perplexity_ratio,
    },
    weights::Weights,
};

/// Windows of the validation text, and their length in tokens: about 4,000 predictions.
const WINDOWS: usize = 8;
const WINDOW_TOKENS: usize = 512;

pub(crate) fn validate(
    job: &Job,
    weights: &Weights,
    calibration: Value,
    artifact: &Path,
    reporter: &mut Reporter,
) -> Result<Report> {
    reporter.stage("validate", |reporter| {
        let tokenizer = weights.source().tokenizer()?;
        let template = weights.source().chat_template()?;
        let mut pair = Pair {
            source: Decoder::load(weights.source(), &LoadOptions::default())?,
            artifact: Session::open(artifact, &Options { threads: job.threads, ..Options::default() })?,
            spent: [Duration::ZERO; 3],
        };
        let probes = pair.probes(&tokenizer)?;
        let (texts, origin) = validation_windows(job, &tokenizer, template.as_ref(), &probes)?;
        let mut agreement = Agreement::default();
        for (done, window) in texts.iter().enumerate() {
            agreement.add(pair.compare(window)?);
            reporter.progress(done + 1, texts.len(), "windows")?;
        }
        let [source, artifact_time, compared] = pair.spent.map(|spent| spent.as_secs_f64());
        reporter.log(
            Level::Debug,
            format!("source {source:.1} s, artifact {artifact_time:.1} s, comparison {compared:.1} s"),
        );
        let longest = texts.iter().max_by_key(|window| window.len()).map(Vec::as_slice).unwrap_or_default();
        let budget =
            job.spec.validation.as_ref().map(|validation| validation.budget.clone()).unwrap_or_default();
        let perplexity = perplexity_ratio(&agreement, origin);
        let reason = refusal(&budget, perplexity.ratio, agreement.figures().not_finite);
        let report = Report {
            verdict: if reason.is_none() { Verdict::Published } else { Verdict::Refused },
            reason,
            quantization: json_word(&job.spec.quantization),
            target: json_word(&job.spec.target),
            runtime: format!("CPUExecutionProvider, {}", anneal_onnx::version().unwrap_or_default()),
            budget: json!(budget),
            perplexity,
            agreement: agreement.figures(),
            probes: probes.into_iter().map(|(_, report)| report).collect(),
            sizes: Sizes {
                source_bytes: stored_bytes(&job.spec.model)?,
                source_float32_bytes: weights.config().parameters() * 4,
                artifact_bytes: weight_bytes(artifact)?,
            },
            speed: measure(&mut pair.artifact, &longest[..longest.len().min(128)], job.threads)?,
            calibration,
            hashes: digests(artifact)?,
        };
        tell(&report, reporter);
        Ok(report)
    })
}

fn json_word(value: &impl serde::Serialize) -> String {
    match json!(value) {
        Value::String(word) => word,
        other => other.to_string(),
    }
}

/// Why an artifact is refused, if it is.
fn refusal(budget: &Budget, ratio: f64, not_finite: usize) -> Option<String> {
    if not_finite > 0 {
        return Some(format!("{not_finite} predictions are not numbers"));
    }
    let limit = budget.perplexity_ratio;
    // A ratio that is not a number is beyond every budget.
    (ratio.is_nan() || ratio > limit)
        .then(|| format!("its perplexity is {ratio:.4} times that of its source; the budget allows {limit}"))
}

fn tell(report: &Report, reporter: &mut Reporter) {
    reporter.log(
        Level::Info,
        format!(
            "perplexity {:.4} (source {:.4}, ratio {:.4}), top-1 agreement {:.2} %, {:.1} MB (float32 source {:.1} MB), \
             {:.1} tokens/s",
            report.perplexity.artifact,
            report.perplexity.source,
            report.perplexity.ratio,
            report.agreement.top1_agreement * 100.0,
            report.sizes.artifact_bytes as f64 / 1e6,
            report.sizes.source_float32_bytes as f64 / 1e6,
            report.speed.decode_tokens_per_second,
        ),
    );
}

/// The validation text's windows and a word on where it came from; the probes' own tokens when there is none.
fn validation_windows(
    job: &Job,
    tokenizer: &Tokenizer,
    template: Option<&ChatTemplate>,
    probes: &[(Vec<u32>, ProbeReport)],
) -> Result<(Vec<Vec<u32>>, String)> {
    let dataset = job.spec.validation.as_ref().and_then(|validation| validation.dataset.as_ref());
    let Some(dataset) = dataset else {
        return Ok((probes.iter().map(|(tokens, _)| tokens.clone()).collect(), "built-in probes".to_owned()));
    };
    let texts = Texts { path: Path::new(dataset), field: "validation.dataset", template };
    let found = windows(&texts, tokenizer, WINDOWS, WINDOW_TOKENS)?;
    if found.is_empty() {
        return Err(Error::spec("validation.dataset", "holds no text of at least two tokens"));
    }
    Ok((found, dataset.clone()))
}

struct Pair {
    source: Decoder,
    artifact: Session,
    /// Time in the source, in the artifact and in comparing them.
    spent: [Duration; 3],
}

impl Pair {
    fn compare(&mut self, tokens: &[u32]) -> Result<Agreement> {
        let begin = Instant::now();
        let limit = self.source.config().context_length();
        let tokens = &tokens[..tokens.len().min(limit)];
        let segments = Segments::new(&[tokens.len()]).map_err(anneal_model::Error::from)?;
        let hidden = self.source.hidden(tokens, &segments, None)?;
        let source = self.source.logits(&hidden)?.flatten_all()?.to_vec1::<f32>()?;
        self.spent[0] += begin.elapsed();
        let begin = Instant::now();
        let artifact = self.artifact.logits(&[tokens])?;
        self.spent[1] += begin.elapsed();
        let begin = Instant::now();
        let agreement = compare_window(tokens, &source, &artifact);
        self.spent[2] += begin.elapsed();
        Ok(agreement)
    }

    fn probes(&mut self, tokenizer: &Tokenizer) -> Result<Vec<(Vec<u32>, ProbeReport)>> {
        let mut reports = Vec::new();
        for Probe { name, text } in built_in() {
            let tokens = tokenizer.encode(text, false)?;
            if tokens.len() < 2 {
                continue;
            }
            let figures = self.compare(&tokens)?.figures();
            reports
                .push((tokens.clone(), ProbeReport { name: name.to_owned(), tokens: tokens.len(), figures }));
        }
        if reports.is_empty() {
            return Err(Error::spec("model", "its tokenizer makes no tokens of ordinary text"));
        }
        Ok(reports)
    }
}
