//! Asks the model what a task's journal has no answer for, and writes each answer down as soon as it is there.

use anneal_contracts::engine::Level;
use rayon::prelude::*;

use super::backend::{Alike, Answer, Encoded, Model, Prompt, Score, Scorer, TokenRequest, group_alike};
use super::error::{Error, Result};
use super::evaluate::{Asked, Rows};
use super::progress::Progress;
use super::prompts::{Request, Stops};
use super::results::{Answered, Journal};
use super::run::Run;
use super::scoring::Response;
use super::tasks::{BadRow, Task};

/// One row with its requests as ids.
struct Pending<'a> {
    asked: &'a Asked<'a>,
    encoded: Vec<Encoded>,
    /// The sequences of all its requests, in order.
    sequences: Vec<TokenRequest>,
}

/// Answers every row that the journal has no answer for.
pub(super) fn answer(
    run: &mut Run<'_>,
    model: &mut Model,
    task: &Task,
    asked: &[Asked<'_>],
    journal: &mut Journal,
    rows: &mut Rows,
) -> Result<()> {
    let open: Vec<&Asked<'_>> =
        asked.iter().filter(|row| journal.answers(row.doc.id(), &row.digest).is_none()).collect();
    let done = asked.len() - open.len();
    if done > 0 {
        let message = format!("{}: {done} of {} samples were scored before", task.name(), asked.len());
        run.output.log(Level::Info, message);
    }
    let mut pending = encode(model, &open, &mut rows.bad);
    rows.tolerate(task, "", run.output)?;
    if !pending.is_empty() && !model.is_loaded() {
        run.output.stage("load_weights", |_| model.scorer().map(drop))?;
    }
    // Longest first: the peak of memory comes at once, and a batch's rows are alike.
    pending.sort_by_key(|row| (std::cmp::Reverse(row.work()), row.asked.doc.row));
    let work = pending.iter().map(Pending::work).sum();
    let mut progress = Progress::new(done, asked.len(), work, run.now());
    progress.advance(0, 0, run.now(), run.output);
    run.pause(journal)?;
    let (scored, generated): (Vec<Pending<'_>>, Vec<Pending<'_>>) =
        pending.into_iter().partition(|row| !row.sequences.is_empty());
    let mut asking = Asking { run, task, journal, progress };
    if !scored.is_empty() {
        asking.score(&scored, model.scorer()?)?;
    }
    if !generated.is_empty() {
        asking.generate(&generated, model.scorer()?)?;
    }
    Ok(())
}

/// Requests as ids; rows that have none are bad.
fn encode<'a>(model: &Model, open: &[&'a Asked<'a>], bad: &mut Vec<BadRow>) -> Vec<Pending<'a>> {
    let encoder = &model.encoder;
    let encoded: Vec<(&Asked<'_>, std::result::Result<Vec<Encoded>, String>)> =
        anneal_kernels::in_pool(|| {
            open.par_iter()
                .map(|row| (*row, row.requests.iter().map(|request| encoder.encode(request)).collect()))
                .collect()
        });
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

/// A task whose rows are being answered.
struct Asking<'a, 'r> {
    run: &'a mut Run<'r>,
    task: &'a Task,
    journal: &'a mut Journal,
    progress: Progress,
}

impl Asking<'_, '_> {
    /// Scores rows group by group, those with the longest row first.
    fn score(&mut self, pending: &[Pending<'_>], scorer: &mut dyn Scorer) -> Result<()> {
        let rows: Vec<&[TokenRequest]> = pending.iter().map(|row| row.sequences.as_slice()).collect();
        let mut groups = group_alike(&rows);
        for group in &mut groups {
            // The rows' own order is longest first.
            group.rows.sort_unstable();
        }
        groups.sort_by_key(|group| group.rows[0]);
        for Alike { prefix, rows } in groups {
            scorer.share(&prefix)?;
            let rows: Vec<&Pending<'_>> = rows.into_iter().map(|row| &pending[row]).collect();
            let mut rest = rows.as_slice();
            while !rest.is_empty() {
                let sequences: Vec<&[TokenRequest]> =
                    rest.iter().map(|row| row.sequences.as_slice()).collect();
                let count = scorer.fit(&sequences).clamp(1, rest.len());
                let (batch, later) = rest.split_at(count);
                rest = later;
                let scores = anneal_kernels::in_pool(|| scorer.score(&sequences[..count]))?;
                self.journal.append(log_likelihoods(self.task, batch, &scores)?)?;
                let work = batch.iter().map(|row| row.work()).sum();
                self.progress.advance(count, work, self.run.now(), self.run.output);
                self.run.pause(self.journal)?;
            }
        }
        Ok(())
    }

    /// Answers prompts, each as often as the task asks; an answer without a draw is the same every time.
    fn generate(&mut self, pending: &[Pending<'_>], scorer: &mut dyn Scorer) -> Result<()> {
        let repeats = self.task.config.repeats;
        let mut prompts = Vec::new();
        let mut rows = Vec::new();
        let mut stops = None;
        for (row, one) in pending.iter().enumerate() {
            for (request, encoded) in one.asked.requests.iter().zip(&one.encoded) {
                let (Request::Generate { stops: own, .. }, Encoded::Prompt { ids, .. }) = (request, encoded)
                else {
                    continue;
                };
                stops.get_or_insert(own);
                for repeat in 0..draws(own, repeats) {
                    let seed = seed(self.run.spec.seed, one.asked.doc.id(), repeat);
                    prompts.push(Prompt { ids, seed });
                    rows.push(row);
                }
            }
        }
        // A task's rows are all asked for in the same way.
        let Some(stops) = stops else { return Ok(()) };
        let mut texts: Vec<Option<String>> = vec![None; prompts.len()];
        let mut answers = scorer.generate(&prompts, stops)?;
        while let Some(ended) = answers.step()? {
            for Answer { prompt, text } in ended {
                let (place, row) = (rows[prompt], &pending[rows[prompt]]);
                let text = text.ok_or_else(|| Error::NotANumber {
                    task: self.task.name().to_owned(),
                    row: row.asked.doc.row,
                })?;
                texts[prompt] = Some(text);
                let first = rows.partition_point(|row| *row < place);
                let last = rows.partition_point(|row| *row <= place);
                if texts[first..last].iter().all(Option::is_some) {
                    let own: Vec<String> = texts[first..last].iter_mut().filter_map(Option::take).collect();
                    self.journal.append(vec![row.generated(&own, draws(stops, repeats), repeats)])?;
                    self.progress.advance(1, row.work(), self.run.now(), self.run.output);
                }
            }
            self.progress.beat(self.run.now(), self.run.output);
            self.run.pause(self.journal)?;
        }
        Ok(())
    }
}

fn draws(stops: &Stops, repeats: usize) -> usize {
    if stops.temperature > 0.0 { repeats.max(1) } else { 1 }
}

/// A seed of its own for each row and repetition.
fn seed(seed: u64, doc_id: usize, repeat: usize) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add((doc_id as u64) << 20).wrapping_add(repeat as u64)
}

/// Turns the scores of sequences into the answers of requests; a NaN ends the evaluation.
fn log_likelihoods(task: &Task, batch: &[&Pending<'_>], scores: &[Vec<Score>]) -> Result<Vec<Answered>> {
    batch
        .iter()
        .zip(scores)
        .map(|(row, scores)| {
            let mut scores = scores.iter();
            let mut responses = Vec::with_capacity(row.encoded.len());
            for (request, encoded) in row.asked.requests.iter().zip(&row.encoded) {
                let Encoded::Score { sequences, context_tokens, .. } = encoded else { continue };
                let own: Vec<&Score> = scores.by_ref().take(sequences.len()).collect();
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

    fn answered(&self, responses: Vec<Vec<Response>>) -> Answered {
        Answered {
            doc_id: self.asked.doc.id(),
            requests: self.asked.digest.clone(),
            responses,
            truncated: self.truncated(),
        }
    }

    /// The row's answers: `draws` texts for each request, repeated where the task asks for more of the same.
    fn generated(&self, texts: &[String], draws: usize, repeats: usize) -> Answered {
        let responses = texts
            .chunks(draws)
            .map(|own| {
                let answer = |repeat: usize| Response::Text(own[repeat % own.len()].clone());
                (0..repeats.max(1)).map(answer).collect()
            })
            .collect();
        self.answered(responses)
    }
}
