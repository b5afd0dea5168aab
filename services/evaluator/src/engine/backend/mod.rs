//! What computes log-probabilities and text: one small trait, our decoder and ONNX Runtime behind it.

mod candle;
mod encode;
mod onnxruntime;
mod open;
mod prefix;

pub use encode::{Encoded, Encoder};
pub(crate) use open::hex;
pub use open::{Model, identity};
pub use prefix::{Alike, group_alike};

use crate::engine::error::Result;
use crate::engine::prompts::Stops;

/// One scored sequence: the last `targets.len()` positions of `input` predict `targets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Ids that go into the model.
    pub input: Vec<u32>,
    /// Ids that are scored.
    pub targets: Vec<u32>,
}

impl TokenRequest {
    /// The first position that predicts a target.
    pub fn first_scored(&self) -> usize {
        self.input.len() - self.targets.len()
    }
}

/// The log-probability of a request's targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Natural logarithm, summed over the targets. NaN when the model computes NaN.
    pub sum: f64,
    /// Every target was the most probable id.
    pub greedy: bool,
}

/// A prompt to continue.
pub struct Prompt<'a> {
    /// Its ids.
    pub ids: &'a [u32],
    /// Randomness of a draw.
    pub seed: u64,
}

/// What continued a prompt.
pub struct Answer {
    /// The prompt's place in the call.
    pub prompt: usize,
    /// The text, cut at its stop string. `None` when the model computes NaN.
    pub text: Option<String>,
}

/// Prompts being continued.
pub trait Answers {
    /// One pass of the model, or less than a second's work; the answers that ended with it. `None`: all have.
    fn step(&mut self) -> Result<Option<Vec<Answer>>>;
}

/// A model at work. A row's scores and a prompt's answer never depend on what else is in the call.
pub trait Scorer: Send {
    /// How many of these rows, at least one, the next call should take.
    fn fit(&self, rows: &[&[TokenRequest]]) -> usize;

    /// Announces ids that the following rows begin with; computed once.
    fn share(&mut self, prefix: &[u32]) -> Result<()>;

    /// Scores the requests of each row.
    fn score(&mut self, rows: &[&[TokenRequest]]) -> Result<Vec<Vec<Score>>>;

    /// Begins to continue prompts, all under the same rules.
    fn generate<'a>(&'a mut self, prompts: &[Prompt<'_>], stops: &'a Stops) -> Result<Box<dyn Answers + 'a>>;
}
