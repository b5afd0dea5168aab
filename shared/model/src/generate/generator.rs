//! Continuous batching: a place in the batch is given to the next prompt as soon as its sequence ends, prompts are read
//! in pieces beside sequences that are being written, and a beginning that another sequence has read already is taken
//! from there. Tokens that a sequence is likely to be continued with are read ahead. None of it changes a bit of any continuation.

use std::collections::VecDeque;

use super::{Continuation, FinishReason, GenerateOptions, Generation, Sampler, lookup::Lookup};
use crate::decoder::{Decoder, KvCache};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// A shared beginning shorter than this is read again instead of copied.
const SHARED_TOKENS: usize = 16;
/// Tokens that each running sequence may still grow by when another one is let in.
const HEADROOM_TOKENS: usize = 64;

/// A prompt and the randomness of its continuation.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// Its ids; at least one.
    pub ids: &'a [u32],
    /// Seed of its draws.
    pub seed: u64,
    /// Prompts of one seed draw apart by their stream.
    pub stream: u64,
}

/// Prompts being continued, one pass of the model after another.
#[derive(Debug)]
pub struct Generator<'a> {
    decoder: &'a Decoder,
    options: &'a GenerateOptions,
    stop_ids: Vec<u32>,
    waiting: VecDeque<Sequence<'a>>,
    running: Vec<Sequence<'a>>,
    done: Vec<(usize, Generation)>,
}

#[derive(Debug)]
struct Sequence<'a> {
    prompt: usize,
    /// The prompt and what was written so far.
    tokens: Vec<u32>,
    /// Of these tokens the first ones.
    cache: KvCache,
    written: Continuation<'a>,
    sampler: Sampler,
    lookup: Lookup,
    room: usize,
    finish: Option<FinishReason>,
}

impl<'a> Generator<'a> {
    /// Prompts to be continued, none of them empty.
    pub fn new(
        decoder: &'a Decoder,
        tokenizer: &'a Tokenizer,
        prompts: &[Prompt<'_>],
        options: &'a GenerateOptions,
    ) -> Result<Self> {
        if let Some(index) = prompts.iter().position(|prompt| prompt.ids.is_empty()) {
            return Err(Error::Argument(format!("prompt {index} is empty")));
        }
        let mut stop_ids = options.stop_ids.clone();
        if stop_ids.is_empty() {
            stop_ids.clone_from(&decoder.config().eos_token_ids);
            stop_ids.extend(tokenizer.eos_id());
        }
        let sequences = prompts.iter().enumerate().map(|(index, prompt)| Sequence {
            prompt: index,
            tokens: prompt.ids.to_vec(),
            cache: decoder.cache(),
            written: Continuation::new(tokenizer, &options.stop),
            sampler: Sampler::new(options.temperature, options.top_p, prompt.seed, prompt.stream),
            lookup: Lookup::new(),
            room: options
                .max_new_tokens
                .min(decoder.config().context_length().saturating_sub(prompt.ids.len())),
            finish: None,
        });
        let mut generator = Self {
            decoder,
            options,
            stop_ids,
            waiting: VecDeque::new(),
            running: Vec::new(),
            done: Vec::new(),
        };
        for sequence in sequences {
            if sequence.room == 0 {
                generator.done.push((sequence.prompt, sequence.into_generation(FinishReason::Length)?));
            } else {
                generator.waiting.push_back(sequence);
            }
        }
        Ok(generator)
    }

    /// One pass of the model. Returns the continuations that ended, with the indices of their prompts; `None` when
    /// there is nothing left to do. [`Error::NotANumber`] names the prompt whose logits are broken.
    pub fn step(&mut self) -> Result<Option<Vec<(usize, Generation)>>> {
        if !self.done.is_empty() {
            return Ok(Some(std::mem::take(&mut self.done)));
        }
        self.admit();
        if self.running.is_empty() {
            return Ok(None);
        }
        let mut pieces = self.pieces();
        while self.running.len() > 1 && self.bytes(&pieces) > self.options.cache_bytes {
            self.evict();
            pieces = self.pieces();
        }
        self.pass(&pieces)?;
        let mut ended = Vec::new();
        for index in (0..self.running.len()).rev() {
            if let Some(finish) = self.running[index].finish {
                let sequence = self.running.remove(index);
                ended.push((sequence.prompt, sequence.into_generation(finish)?));
            }
        }
        Ok(Some(ended))
    }

    /// Lets waiting prompts in while there is a place, memory, and something to read for them.
    fn admit(&mut self) {
        while self.running.len() < self.options.batch_size.max(1) {
            let Some(next) = self.waiting.front() else { return };
            let tokens = |sequence: &Sequence<'_>| sequence.tokens.len() + HEADROOM_TOKENS;
            let held: usize = self.running.iter().chain([next]).map(tokens).sum();
            let reading: usize = self.running.iter().map(|sequence| sequence.pending().len()).sum();
            let full = held * self.decoder.cache_bytes_a_token() > self.options.cache_bytes
                || reading >= self.options.batch_tokens;
            if full && !self.running.is_empty() {
                return;
            }
            let begun = self.running.iter().max_by_key(|one| shared(&one.tokens, &next.tokens));
            let mut copied = None;
            if let Some(one) = begun {
                let most = shared(&one.tokens, &next.tokens).min(next.tokens.len() - 1);
                let ready = most.min(one.cache.len());
                if most >= SHARED_TOKENS && ready + 1 < most {
                    // Its beginning is being read just now.
                    return;
                }
                copied = (ready >= SHARED_TOKENS).then(|| one.cache.beginning(ready));
            }
            let Some(mut next) = self.waiting.pop_front() else { return };
            if let Some(cache) = copied {
                next.cache = cache;
            }
            self.running.push(next);
        }
    }

    /// How many tokens each sequence is fed: those being written first, the others share what is left of the pass.
    fn pieces(&self) -> Vec<usize> {
        let mut left = self.options.batch_tokens.max(1);
        let mut pieces = vec![0; self.running.len()];
        for reads in [false, true] {
            for (piece, sequence) in pieces.iter_mut().zip(&self.running) {
                let pending = sequence.pending().len();
                if (pending > 1) == reads {
                    *piece = pending.min(left);
                    left -= *piece;
                }
            }
        }
        pieces
    }

    fn bytes(&self, pieces: &[usize]) -> usize {
        let tokens: usize = self.running.iter().zip(pieces).map(|(one, piece)| one.cache.len() + piece).sum();
        tokens * self.decoder.cache_bytes_a_token()
    }

    /// Sends the youngest sequence back to wait; what it has written is read again later, to the same bits.
    fn evict(&mut self) {
        if let Some(mut sequence) = self.running.pop() {
            sequence.cache = self.decoder.cache();
            self.waiting.push_front(sequence);
        }
    }

    /// Guesses for the sequences whose last token is fed; each has an equal share of those of a pass.
    fn guesses(&self, pieces: &[usize]) -> Vec<Vec<u32>> {
        let ends = |(sequence, piece): (&Sequence<'_>, &usize)| sequence.pending().len() == *piece;
        let writing = self.running.iter().zip(pieces).filter(|pair| ends(*pair)).count();
        let share = (self.options.guessed_tokens / writing.max(1)).saturating_sub(1);
        let guess = |(sequence, piece): (&Sequence<'_>, &usize)| {
            if ends((sequence, piece)) { sequence.guess(share) } else { Vec::new() }
        };
        self.running.iter().zip(pieces).map(guess).collect()
    }

    /// Feeds the pieces, and chooses the next tokens of every sequence that has none left to be fed.
    fn pass(&mut self, pieces: &[usize]) -> Result<()> {
        let guesses = self.guesses(pieces);
        let mut fed: Vec<Vec<u32>> = Vec::new();
        for ((sequence, &piece), guesses) in self.running.iter().zip(pieces).zip(&guesses) {
            fed.push([&sequence.pending()[..piece], guesses].concat());
        }
        let mut batch: Vec<(&mut KvCache, &[u32])> = Vec::new();
        let mut read = Vec::new();
        let mut end = 0;
        for ((sequence, fed), guesses) in self.running.iter_mut().zip(&fed).zip(&guesses) {
            if fed.is_empty() {
                continue;
            }
            end += fed.len();
            if sequence.cache.len() + fed.len() == sequence.tokens.len() + guesses.len() {
                read.extend(end - 1 - guesses.len()..end);
            }
            batch.push((&mut sequence.cache, fed));
        }
        let hidden_nd = self.decoder.extend(&mut batch, &read)?;
        if read.is_empty() {
            return Ok(());
        }
        let logits = self.decoder.logits(&hidden_nd)?.to_vec2::<f32>()?;
        let mut logits = logits.iter();
        for (sequence, guesses) in self.running.iter_mut().zip(&guesses) {
            if sequence.cache.len() == sequence.tokens.len() + guesses.len() {
                sequence.choose(logits.by_ref().take(1 + guesses.len()), guesses, &self.stop_ids)?;
            }
        }
        Ok(())
    }
}

impl Sequence<'_> {
    fn pending(&self) -> &[u32] {
        &self.tokens[self.cache.len()..]
    }

    /// At most `most` tokens that may come next, none beyond what may be written.
    fn guess(&self, most: usize) -> Vec<u32> {
        let left = self.room.saturating_sub(self.written.ids().len() + 1);
        self.lookup.guess(&self.tokens, most.min(left))
    }

    /// Chooses tokens from the logits after the last one and after each guess, as long as the guesses are what is chosen.
    fn choose<'l>(
        &mut self,
        logits: impl Iterator<Item = &'l Vec<f32>>,
        guesses: &[u32],
        stop_ids: &[u32],
    ) -> Result<()> {
        let mut right = 0;
        // To the end, whatever is chosen: the logits of other sequences follow.
        for (place, logits) in logits.enumerate() {
            if right < place || self.finish.is_some() {
                continue;
            }
            let id = self.sampler.choose(logits).ok_or(Error::NotANumber { prompt: self.prompt })?;
            right += usize::from(guesses.get(place) == Some(&id));
            self.accept(id, stop_ids)?;
        }
        self.lookup.learn(guesses.len(), right);
        // The last token was chosen and not read, and wrong guesses are not its sequence's.
        self.cache.truncate(self.tokens.len() - 1);
        Ok(())
    }

    fn accept(&mut self, id: u32, stop_ids: &[u32]) -> Result<()> {
        if stop_ids.contains(&id) {
            self.finish = Some(FinishReason::Stop);
            return Ok(());
        }
        self.tokens.push(id);
        if self.written.push(id)? {
            self.finish = Some(FinishReason::Stop);
        } else if self.written.ids().len() >= self.room {
            self.finish = Some(FinishReason::Length);
        }
        Ok(())
    }

    fn into_generation(self, finish: FinishReason) -> Result<Generation> {
        let (ids, text) = self.written.finish()?;
        Ok(Generation { ids, text, finish })
    }
}

/// How many leading ids two sequences share.
fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
