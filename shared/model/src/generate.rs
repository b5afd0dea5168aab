//! Continuing prompts, many at a time, each exactly as if it were alone.

mod continuation;
mod generator;
mod lookup;
mod sampling;

use crate::decoder::Decoder;
use crate::error::Result;
use crate::tokenizer::Tokenizer;

pub use continuation::Continuation;
pub use generator::{Generator, Prompt};
pub use sampling::Sampler;

/// How to continue. The last four never change a continuation.
#[derive(Debug, Clone)]
pub struct GenerateOptions {
    /// Most tokens to add.
    pub max_new_tokens: usize,
    /// Texts that end a continuation; they are cut off, with what follows. A special token's text is one of them.
    pub stop: Vec<String>,
    /// Ids that end a continuation; left out of its text. Empty: the end-of-sequence ids of the model and its tokenizer.
    pub stop_ids: Vec<u32>,
    /// 0 takes the likeliest token; higher spreads the choice.
    pub temperature: f64,
    /// Choose among the likeliest tokens that hold this share of the probability.
    pub top_p: f64,
    /// Randomness of the choice. Each prompt draws from its own stream.
    pub seed: u64,
    /// Most prompts run together.
    pub batch_size: usize,
    /// Most tokens of one pass.
    pub batch_tokens: usize,
    /// Bytes of keys and values held at a time; one sequence may take more.
    pub cache_bytes: usize,
    /// Most tokens of one pass that are written or guessed ahead from what their sequence holds already; 0 guesses none.
    pub guessed_tokens: usize,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 128,
            stop: Vec::new(),
            stop_ids: Vec::new(),
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            batch_size: 16,
            batch_tokens: 2048,
            cache_bytes: 256 << 20,
            guessed_tokens: 16,
        }
    }
}

/// Why a continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop text or id.
    Stop,
    /// `max_new_tokens`, or the model's context.
    Length,
}

/// A continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The new ids, without the id that ended it.
    pub ids: Vec<u32>,
    /// Their text, cut at the stop text.
    pub text: String,
    /// Why it ended.
    pub finish: FinishReason,
}

/// Continues every prompt (given as ids, none empty). The results do not depend on how many run together.
pub fn generate(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[Vec<u32>],
    options: &GenerateOptions,
) -> Result<Vec<Generation>> {
    let prompts: Vec<Prompt<'_>> =
        prompts.iter().zip(0..).map(|(ids, stream)| Prompt { ids, seed: options.seed, stream }).collect();
    let mut generator = Generator::new(decoder, tokenizer, &prompts, options)?;
    let mut done = Vec::with_capacity(prompts.len());
    while let Some(ended) = generator.step()? {
        done.extend(ended);
    }
    done.sort_unstable_by_key(|(prompt, _)| *prompt);
    Ok(done.into_iter().map(|(_, generation)| generation).collect())
}
