//! A compiled model in ONNX Runtime. Sequences go one by one: its products may round otherwise in another batch, and a
//! score must not depend on its neighbours.

use anneal_model::Tokenizer;
use anneal_onnx::{Session, argmax};

use super::log_softmax::Row;
use super::{Prompt, Score, Scorer, TokenRequest};
use crate::engine::error::{Error, Result};

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

    fn score_row(&mut self, row: &[TokenRequest]) -> Result<Vec<Score>> {
        let mut scores: Vec<Option<Score>> = vec![None; row.len()];
        for first in 0..row.len() {
            if scores[first].is_some() {
                continue;
            }
            let logits = self.session.logits(&[&row[first].input]).map_err(failed)?;
            // Choices of one token have the same input: one run serves them all.
            for (index, request) in row.iter().enumerate().skip(first) {
                if request.input == row[first].input {
                    scores[index] = Some(read(&logits, request));
                }
            }
        }
        Ok(scores.into_iter().flatten().collect())
    }

    fn answer(&mut self, prompt: &Prompt<'_>) -> Result<String> {
        if prompt.stops.temperature > 0.0 {
            return Err(Error::Model(
                "not supported yet: drawing tokens with backend onnxruntime".to_owned(),
            ));
        }
        let (mut state, mut logits) = self.session.prefill(&[prompt.ids]).map_err(failed)?;
        let mut ids = Vec::new();
        while ids.len() < prompt.stops.max_tokens {
            let id = argmax(logits.last(0));
            if self.eos_ids.contains(&id) {
                break;
            }
            ids.push(id);
            let text = self.tokenizer.decode(&ids, true).map_err(failed)?;
            let stops = prompt.stops.until.iter().filter(|stop| !stop.is_empty());
            if let Some(at) = stops.filter_map(|stop| text.find(stop.as_str())).min() {
                return Ok(text[..at].to_owned());
            }
            logits = self.session.step(&mut state, &[id]).map_err(failed)?;
        }
        self.tokenizer.decode(&ids, true).map_err(failed)
    }
}

fn read(logits: &anneal_onnx::Logits, request: &TokenRequest) -> Score {
    let mut score = Score { sum: 0.0, greedy: true };
    for (place, id) in request.targets.iter().enumerate() {
        let scores = logits.row(0, request.first_scored() + place);
        let row = Row::new(scores);
        score.sum += f64::from(row.log_probability(scores, *id));
        score.greedy &= row.best == *id;
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

    fn generate(&mut self, prompts: &[Prompt<'_>]) -> Result<Vec<String>> {
        prompts.iter().map(|prompt| self.answer(prompt)).collect()
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Model(error.to_string())
}
