//! A compiled model in ONNX Runtime. Rows and prompts go one by one: its products may round otherwise in another batch,
//! and a score must not depend on its neighbours. For the same reason nothing is shared between rows.

use anneal_kernels::rows::LogSoftmax;
use anneal_model::{Continuation, Sampler, Tokenizer};
use anneal_onnx::{Logits, Session, State};

use super::prefix::shared;
use super::{Answer, Answers, Prompt, Score, Scorer, TokenRequest};
use crate::engine::error::{Error, Result};
use crate::engine::prompts::Stops;

/// Tokens of the rows between two writes of the journal.
const CALL_TOKENS: usize = 2048;

/// A loaded session.
pub(super) struct OnnxRuntime {
    session: Session,
    tokenizer: Tokenizer,
    eos_ids: Vec<u32>,
}

impl OnnxRuntime {
    /// A session with the tokens that end an answer.
    pub(super) fn new(session: Session, tokenizer: Tokenizer, eos_ids: Vec<u32>) -> Self {
        Self { session, tokenizer, eos_ids }
    }

    /// What a row's requests begin with is run once, and what each has beyond it once for all that have the same.
    fn score_row(&mut self, row: &[TokenRequest]) -> Result<Vec<Score>> {
        let Some(first) = row.first() else { return Ok(Vec::new()) };
        let stem = stem(row);
        if stem == 0 {
            return row.iter().map(|request| self.score_alone(request)).collect();
        }
        let (state, begun) = self.session.prefill(&[&first.input[..stem]]).map_err(failed)?;
        let mut scores: Vec<Option<Score>> = vec![None; row.len()];
        for at in 0..row.len() {
            if scores[at].is_some() {
                continue;
            }
            let beyond = &row[at].input[stem..];
            let more = match beyond {
                [] => None,
                ids => Some(self.session.branch(&state, ids).map_err(failed)?),
            };
            let position = |position: usize| match &more {
                Some(more) if position >= stem => more.row(0, position - stem),
                _ => begun.row(0, position),
            };
            for (request, score) in
                row.iter().zip(&mut scores).filter(|(one, _)| one.input[stem..] == *beyond)
            {
                *score = Some(read(request, position));
            }
        }
        Ok(scores.into_iter().flatten().collect())
    }

    fn score_alone(&mut self, request: &TokenRequest) -> Result<Score> {
        let logits = self.session.logits(&[&request.input]).map_err(failed)?;
        Ok(read(request, |position| logits.row(0, position)))
    }
}

/// How many ids all requests of a row begin with; 0 for one request alone.
fn stem(row: &[TokenRequest]) -> usize {
    match row {
        [first, others @ ..] if !others.is_empty() => {
            others.iter().fold(first.input.len(), |end, request| shared(&first.input[..end], &request.input))
        }
        _ => 0,
    }
}

fn read<'a>(request: &TokenRequest, logits: impl Fn(usize) -> &'a [f32]) -> Score {
    let mut score = Score { sum: 0.0, greedy: true };
    for (place, id) in request.targets.iter().enumerate() {
        let scores = logits(request.first_scored() + place);
        let (softmax, id) = (LogSoftmax::of(scores), *id as usize);
        let logit = scores.get(id).copied().unwrap_or(f32::NAN);
        score.sum += f64::from(softmax.log_prob(logit));
        score.greedy &= softmax.is_best(id);
    }
    score
}

impl Scorer for OnnxRuntime {
    fn fit(&self, rows: &[&[TokenRequest]]) -> usize {
        let mut tokens = 0;
        let within = rows.iter().take_while(|row| {
            tokens += row.iter().map(|request| request.input.len()).sum::<usize>();
            tokens <= CALL_TOKENS
        });
        within.count().max(1)
    }

    fn share(&mut self, _prefix: &[u32]) -> Result<()> {
        Ok(())
    }

    fn score(&mut self, rows: &[&[TokenRequest]]) -> Result<Vec<Vec<Score>>> {
        rows.iter().map(|row| self.score_row(row)).collect()
    }

    fn generate<'a>(&'a mut self, prompts: &[Prompt<'_>], stops: &'a Stops) -> Result<Box<dyn Answers + 'a>> {
        let prompts: Vec<(Vec<u32>, u64)> =
            prompts.iter().map(|prompt| (prompt.ids.to_vec(), prompt.seed)).collect();
        Ok(Box::new(Continuing {
            session: &mut self.session,
            tokenizer: &self.tokenizer,
            eos_ids: &self.eos_ids,
            stops,
            prompts: prompts.into_iter().enumerate(),
            current: None,
        }))
    }
}

/// Prompts that are continued one after another.
struct Continuing<'a> {
    session: &'a mut Session,
    tokenizer: &'a Tokenizer,
    eos_ids: &'a [u32],
    stops: &'a Stops,
    prompts: std::iter::Enumerate<std::vec::IntoIter<(Vec<u32>, u64)>>,
    current: Option<Current<'a>>,
}

/// The prompt being continued.
struct Current<'a> {
    prompt: usize,
    state: State,
    logits: Logits,
    written: Continuation<'a>,
    sampler: Sampler,
}

/// What one more token makes of an answer.
enum Next {
    Goes,
    Ends,
    Broken,
}

impl Answers for Continuing<'_> {
    fn step(&mut self) -> Result<Option<Vec<Answer>>> {
        let Some(mut current) = self.current.take() else {
            let Some((prompt, (ids, seed))) = self.prompts.next() else { return Ok(None) };
            let (state, logits) = self.session.prefill(&[&ids]).map_err(failed)?;
            let written = Continuation::new(self.tokenizer, &self.stops.until);
            let top_p = self.stops.top_p.unwrap_or(1.0);
            let sampler = Sampler::new(self.stops.temperature, top_p, seed, 0);
            self.current = Some(Current { prompt, state, logits, written, sampler });
            return Ok(Some(Vec::new()));
        };
        let prompt = current.prompt;
        let text = match self.write(&mut current)? {
            Next::Goes => {
                self.current = Some(current);
                return Ok(Some(Vec::new()));
            }
            Next::Broken => None,
            Next::Ends => Some(current.written.finish().map_err(failed)?.1),
        };
        Ok(Some(vec![Answer { prompt, text }]))
    }
}

impl Continuing<'_> {
    fn write(&mut self, current: &mut Current<'_>) -> Result<Next> {
        if current.written.ids().len() >= self.stops.max_tokens {
            return Ok(Next::Ends);
        }
        let Some(id) = current.sampler.choose(current.logits.last(0)) else { return Ok(Next::Broken) };
        if self.eos_ids.contains(&id) || current.written.push(id).map_err(failed)? {
            return Ok(Next::Ends);
        }
        if current.written.ids().len() < self.stops.max_tokens {
            current.logits = self.session.step(&mut current.state, &[id]).map_err(failed)?;
        }
        Ok(Next::Goes)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Model(error.to_string())
}
