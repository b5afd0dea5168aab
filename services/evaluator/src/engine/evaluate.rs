//! One task: load its rows, ask what was not answered yet, score, write the samples.

use std::path::{Path, PathBuf};

use anneal_contracts::engine::{EvaluatorSpec, Level};
use anneal_runtime::clock::{Clock, SystemClock};
use rayon::prelude::*;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::backend::{Encoded, Model, Prompt, Score as TokenScore, TokenRequest, common_prefix, hex};
use super::error::{Error, Result};
use super::output::Output;
use super::progress::Progress;
use super::prompts::{Chat, Request, Sampling, Stops, context, conversation, requests};
use super::results::{Answered, Journal, Sample, Score, TaskSummary, write_samples};
use super::scoring::{Metric, MetricOf, Pipeline, Response, aggregate, metrics_of, score_row};
use super::stop::Stop;
use super::tasks::{BadRow, Doc, OutputType, Task, TaskConfig, load};

/// The share of a task's rows that may be unusable before the task fails.
const BAD_ROW_SHARE: f64 = 0.01;
/// A shared beginning shorter than this is not worth keeping.
const SHARED_TOKENS: usize = 16;
/// Prompts continued between two writes of the journal.
const PROMPTS: usize = 32;

/// A task and how it is to be run.
pub(super) struct Plan {
    /// The task's fields.
    pub config: TaskConfig,
    /// File or folder of its rows.
    pub dataset: PathBuf,
    /// Examples in the prompt.
    pub num_fewshot: usize,
    /// Score the first n rows only.
    pub limit: Option<usize>,
}

/// One row with its requests.
struct Asked<'a> {
    doc: &'a Doc,
    requests: Vec<Request>,
    digest: String,
}

/// One row with its requests as ids.
struct Pending<'a> {
    asked: &'a Asked<'a>,
    encoded: Vec<Encoded>,
    /// The sequences of all its requests, in order.
    sequences: Vec<TokenRequest>,
}

/// Runs one task.
pub(super) fn evaluate(
    spec: &EvaluatorSpec,
    model: &mut Model,
    plan: Plan,
    header: &Map<String, Value>,
    folder: &Path,
    output: &mut Output,
    stop: &Stop,
) -> Result<TaskSummary> {
    let (limit, num_fewshot) = (plan.limit, plan.num_fewshot);
    let (task, mut bad) = load(plan.config, &plan.dataset, num_fewshot)?;
    let invalid = |message: String| Error::task(task.name(), message);
    let metrics = metrics_of(&task).map_err(invalid)?;
    let pipelines = Pipeline::compile(task.config.filter_list.as_deref())
        .map_err(|message| Error::task(task.name(), message))?;
    if task.config.test_split.as_ref().is_some_and(|split| *split != task.split) {
        output.log(
            Level::Info,
            format!("{}: split `{}` is evaluated; the dataset has no `test`", task.name(), task.split),
        );
    }
    let original = task.docs.len() + bad.len();
    let within = limit.unwrap_or(original).min(original);
    bad.retain(|row| row.row <= within);
    let asked = ask(spec, model, &task, within, num_fewshot, &mut bad);
    tolerate(&task, &bad, within, output)?;
    let mut journal =
        Journal::open(&folder.join(format!("responses_{}.jsonl", task.name())), header, spec.resume)?;
    answer(spec, model, &task, &asked, &mut journal, &mut bad, within, output, stop)?;
    finish(&task, &metrics, &pipelines, &asked, &journal, bad, within, folder, output).map(|mut summary| {
        summary.num_fewshot = num_fewshot;
        summary.original = original;
        summary
    })
}

/// The requests of every row. Rows are taken in order: each draw of examples moves the generator on.
fn ask<'a>(
    spec: &EvaluatorSpec,
    model: &Model,
    task: &'a Task,
    within: usize,
    num_fewshot: usize,
    bad: &mut Vec<BadRow>,
) -> Vec<Asked<'a>> {
    let chat: Option<&dyn Chat> = if spec.apply_chat_template {
        model.template.as_ref().map(|template| template as &dyn Chat)
    } else {
        None
    };
    let mut sampling = Sampling::new(task, spec.seed);
    let mut asked = Vec::with_capacity(within);
    for doc in task.docs.iter().take_while(|doc| doc.row <= within) {
        let built = if task.config.output_type == OutputType::ConversationLoss {
            conversation(doc, model.template.as_ref())
        } else {
            sampling
                .examples(doc, num_fewshot)
                .and_then(|examples| context(task, doc, &examples, chat))
                .and_then(|context| requests(task, doc, context, chat.is_some()))
        };
        match built {
            Ok(requests) => {
                let digest = hex(&Sha256::digest(serde_json::to_vec(&requests).unwrap_or_default()));
                asked.push(Asked { doc, requests, digest });
            }
            Err(reason) => bad.push(BadRow { row: doc.row, line: doc.line, reason }),
        }
    }
    asked
}

/// A few bad rows are told and left out; more fail the task.
fn tolerate(task: &Task, bad: &[BadRow], within: usize, output: &mut Output) -> Result<()> {
    let Some(first) = bad.iter().min_by_key(|row| row.row) else { return Ok(()) };
    if bad.len() as f64 > BAD_ROW_SHARE * within as f64 {
        let others = match bad.len() {
            1 => format!(" (1 of {within} rows; at most {:.0}% may fail)", BAD_ROW_SHARE * 100.0),
            several => format!(
                " (the first of {several} bad rows of {within}; at most {:.0}% may fail)",
                BAD_ROW_SHARE * 100.0
            ),
        };
        let reason = first.reason.clone();
        return Err(Error::Row {
            task: task.name().to_owned(),
            row: first.row,
            line: first.line,
            reason,
            others,
        });
    }
    let message = format!(
        "{}: {} of {within} rows are left out; the first is row {} (line {}): {}",
        task.name(),
        bad.len(),
        first.row,
        first.line,
        first.reason
    );
    output.log(Level::Warn, message);
    Ok(())
}

/// Answers every row that the journal has no answer for.
#[expect(clippy::too_many_arguments, reason = "the parts of one task, each owned elsewhere")]
fn answer(
    spec: &EvaluatorSpec,
    model: &mut Model,
    task: &Task,
    asked: &[Asked<'_>],
    journal: &mut Journal,
    bad: &mut Vec<BadRow>,
    within: usize,
    output: &mut Output,
    stop: &Stop,
) -> Result<()> {
    let clock = SystemClock;
    let open: Vec<&Asked<'_>> =
        asked.iter().filter(|row| journal.answers(row.doc.id(), &row.digest).is_none()).collect();
    let done = asked.len() - open.len();
    if done > 0 {
        output.log(
            Level::Info,
            format!("{}: {done} of {} samples were scored before", task.name(), asked.len()),
        );
    }
    let mut pending = encode(model, &open, bad);
    tolerate(task, bad, within, output)?;
    // Longest first: the peak of memory comes at once, and a batch's rows are alike.
    pending.sort_by_key(|row| (std::cmp::Reverse(row.work()), row.asked.doc.row));
    let mut progress =
        Progress::new(done, asked.len(), pending.iter().map(Pending::work).sum(), clock.monotonic());
    progress.advance(0, 0, clock.monotonic(), output);
    if pending.is_empty() {
        return Ok(());
    }
    let scorer = model.scorer()?;
    let prefix = common_prefix(pending.iter().flat_map(|row| &row.sequences));
    scorer.share(if pending.len() > 1 && prefix.len() >= SHARED_TOKENS { &prefix } else { &[] })?;
    let mut rest = pending.as_slice();
    while !rest.is_empty() {
        if stop.requested() {
            return Err(Error::Stopped { done: journal.len() as u64 });
        }
        let generates = rest[0].sequences.is_empty();
        let sequences: Vec<&[TokenRequest]> = rest.iter().map(|row| row.sequences.as_slice()).collect();
        let count =
            if generates { PROMPTS.min(rest.len()) } else { scorer.fit(&sequences).clamp(1, rest.len()) };
        let (batch, later) = rest.split_at(count);
        rest = later;
        let answers = if generates {
            generate(spec, scorer, batch, task.config.repeats)?
        } else {
            let scores = anneal_kernels::in_pool(|| scorer.score(&sequences[..count]))?;
            log_likelihoods(task, batch, &scores)?
        };
        journal.append(answers)?;
        progress.advance(count, batch.iter().map(Pending::work).sum(), clock.monotonic(), output);
    }
    Ok(())
}

impl Pending<'_> {
    /// Tokens to compute, roughly: a row's longest sequence and the scored ids of the others.
    fn work(&self) -> usize {
        let longest = self.sequences.iter().map(|sequence| sequence.input.len()).max().unwrap_or(0);
        let targets: usize = self.sequences.iter().map(|sequence| sequence.targets.len()).sum();
        let prompts: usize = self
            .encoded
            .iter()
            .map(|encoded| match encoded {
                Encoded::Prompt { ids, .. } => ids.len(),
                Encoded::Score { .. } => 0,
            })
            .sum();
        longest + targets + prompts
    }

    fn truncated(&self) -> usize {
        self.encoded
            .iter()
            .map(|encoded| match encoded {
                Encoded::Prompt { truncated, .. } | Encoded::Score { truncated, .. } => *truncated,
            })
            .max()
            .unwrap_or(0)
    }
}

fn encode<'a>(model: &Model, open: &[&'a Asked<'a>], bad: &mut Vec<BadRow>) -> Vec<Pending<'a>> {
    let encoder = &model.encoder;
    let encoded: Vec<(&Asked<'_>, std::result::Result<Vec<Encoded>, String>)> = open
        .par_iter()
        .map(|row| (*row, row.requests.iter().map(|request| encoder.encode(request)).collect()))
        .collect();
    let mut pending = Vec::with_capacity(open.len());
    for (asked, result) in encoded {
        match result {
            Ok(encoded) => {
                let sequences = encoded
                    .iter()
                    .flat_map(|one| match one {
                        Encoded::Score { sequences, .. } => sequences.clone(),
                        Encoded::Prompt { .. } => Vec::new(),
                    })
                    .collect();
                pending.push(Pending { asked, encoded, sequences });
            }
            Err(reason) => bad.push(BadRow { row: asked.doc.row, line: asked.doc.line, reason }),
        }
    }
    pending
}

/// Turns the scores of sequences into the answers of requests; a NaN ends the evaluation.
fn log_likelihoods(task: &Task, batch: &[Pending<'_>], scores: &[Vec<TokenScore>]) -> Result<Vec<Answered>> {
    batch
        .iter()
        .zip(scores)
        .map(|(row, scores)| {
            let mut scores = scores.iter();
            let mut responses = Vec::with_capacity(row.encoded.len());
            for (request, encoded) in row.asked.requests.iter().zip(&row.encoded) {
                let Encoded::Score { sequences, context_tokens, .. } = encoded else { continue };
                let own: Vec<&TokenScore> = scores.by_ref().take(sequences.len()).collect();
                let sum: f64 = own.iter().map(|score| score.sum).sum();
                if sum.is_nan() {
                    return Err(Error::NotANumber { task: task.name().to_owned(), row: row.asked.doc.row });
                }
                let tokens = sequences.iter().map(|sequence| sequence.targets.len()).sum();
                let response = match request {
                    Request::Rolling { .. } => Response::Rolling { sum, tokens },
                    _ => Response::LogLikelihood {
                        sum,
                        greedy: own.iter().all(|score| score.greedy),
                        tokens,
                        context_tokens: *context_tokens,
                    },
                };
                responses.push(vec![response]);
            }
            Ok(row.answered(responses))
        })
        .collect()
}

impl Pending<'_> {
    fn answered(&self, responses: Vec<Vec<Response>>) -> Answered {
        Answered {
            doc_id: self.asked.doc.id(),
            requests: self.asked.digest.clone(),
            responses,
            truncated: self.truncated(),
        }
    }
}

/// Answers prompts, each as often as the task asks; an answer without a draw is the same every time.
fn generate(
    spec: &EvaluatorSpec,
    scorer: &mut dyn super::backend::Scorer,
    batch: &[Pending<'_>],
    repeats: usize,
) -> Result<Vec<Answered>> {
    let mut prompts = Vec::new();
    for row in batch {
        for (request, encoded) in row.asked.requests.iter().zip(&row.encoded) {
            if let (Request::Generate { stops, .. }, Encoded::Prompt { ids, .. }) = (request, encoded) {
                for repeat in 0..draws(stops, repeats) {
                    prompts.push(Prompt { ids, stops, seed: seed(spec.seed, row.asked.doc.id(), repeat) });
                }
            }
        }
    }
    let mut texts = scorer.generate(&prompts)?.into_iter();
    let mut answered = Vec::with_capacity(batch.len());
    for row in batch {
        let mut responses = Vec::new();
        for request in &row.asked.requests {
            let Request::Generate { stops, .. } = request else { continue };
            let own: Vec<Response> = texts
                .by_ref()
                .take(draws(stops, repeats))
                .map(|text| Response::Text(cut(text, stops)))
                .collect();
            responses.push((0..repeats.max(1)).map(|repeat| own[repeat % own.len()].clone()).collect());
        }
        answered.push(row.answered(responses));
    }
    Ok(answered)
}

fn draws(stops: &Stops, repeats: usize) -> usize {
    if stops.temperature > 0.0 { repeats.max(1) } else { 1 }
}

/// A seed of its own for each row and repetition.
fn seed(seed: u64, doc_id: usize, repeat: usize) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add((doc_id as u64) << 20).wrapping_add(repeat as u64)
}

fn cut(mut text: String, stops: &Stops) -> String {
    let first =
        stops.until.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(at) = first {
        text.truncate(at);
    }
    text
}

/// Scores the answers, writes the samples and sums up.
#[expect(clippy::too_many_arguments, reason = "the parts of one task, each owned elsewhere")]
fn finish(
    task: &Task,
    metrics: &[MetricOf],
    pipelines: &[Pipeline],
    asked: &[Asked<'_>],
    journal: &Journal,
    mut bad: Vec<BadRow>,
    within: usize,
    folder: &Path,
    output: &mut Output,
) -> Result<TaskSummary> {
    let mut samples = Vec::new();
    let mut scores = Vec::new();
    for pipeline in pipelines {
        let mut rows: Vec<Sample<'_>> = Vec::with_capacity(asked.len());
        for row in asked {
            let Some(answered) = journal.answers(row.doc.id(), &row.digest) else { continue };
            let filtered = answered
                .responses
                .iter()
                .map(|answers| pipeline.apply(answers))
                .collect::<std::result::Result<Vec<_>, _>>();
            let scored = filtered.and_then(|filtered| {
                score_row(task, metrics, row.doc, &filtered).map(|metrics| (filtered, metrics))
            });
            match scored {
                Ok((filtered, metrics)) => rows.push(Sample {
                    doc: row.doc,
                    requests: &row.requests,
                    answered,
                    filter: &pipeline.name,
                    filtered,
                    metrics,
                }),
                Err(reason) if bad.iter().all(|known| known.row != row.doc.row) => {
                    bad.push(BadRow { row: row.doc.row, line: row.doc.line, reason });
                }
                Err(_) => {}
            }
        }
        scores.extend(figures(task, metrics, &pipeline.name, &rows)?);
        samples.extend(rows);
    }
    tolerate(task, &bad, within, output)?;
    let truncated = truncation(task, asked, journal, output);
    let hash = write_samples(&folder.join(format!("samples_{}.jsonl", task.name())), task, &samples)?;
    Ok(TaskSummary {
        config: task.config.clone(),
        num_fewshot: 0,
        scores,
        higher_is_better: metrics
            .iter()
            .map(|metric| (metric.name.clone(), metric.higher_is_better))
            .collect(),
        original: 0,
        effective: samples.len() / pipelines.len().max(1),
        split: task.split.clone(),
        truncated,
        bad,
        hash,
    })
}

fn figures(task: &Task, metrics: &[MetricOf], filter: &str, rows: &[Sample<'_>]) -> Result<Vec<Score>> {
    let mut scores = Vec::new();
    for metric in metrics {
        let values: Vec<Metric> = rows
            .iter()
            .filter_map(|row| {
                row.metrics.iter().find(|(name, _)| *name == metric.name).map(|(_, value)| value.clone())
            })
            .collect();
        if values.is_empty() {
            continue;
        }
        let (value, error) = aggregate(metric.aggregation, &values)
            .map_err(|message| Error::task(task.name(), format!("metric {}: {message}", metric.name)))?;
        scores.push(Score { metric: metric.name.clone(), filter: filter.to_owned(), value, error });
    }
    Ok(scores)
}

/// Rows that were cut from the left, and the ids cut; told when there are any.
fn truncation(task: &Task, asked: &[Asked<'_>], journal: &Journal, output: &mut Output) -> (usize, usize) {
    let cut: Vec<usize> = asked
        .iter()
        .filter_map(|row| journal.answers(row.doc.id(), &row.digest))
        .map(|answered| answered.truncated)
        .filter(|tokens| *tokens > 0)
        .collect();
    let total = cut.iter().sum();
    if !cut.is_empty() {
        let message = format!(
            "{}: {} prompts were longer than the context; {total} tokens were cut from their left",
            task.name(),
            cut.len()
        );
        output.log(Level::Warn, message);
    }
    (cut.len(), total)
}
