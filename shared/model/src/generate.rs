//! Continuing prompts, many at a time, each exactly as if it were alone.

mod sampling;

use crate::decoder::{Decoder, KvCache};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

use sampling::Sampler;

/// How to continue.
#[derive(Debug, Clone)]
pub struct GenerateOptions {
    /// Most tokens to add.
    pub max_new_tokens: usize,
    /// Texts that end a continuation; they are cut off, with what follows.
    pub stop: Vec<String>,
    /// Ids that end a continuation; left out of its text. Empty: the model's own end-of-sequence ids.
    pub stop_ids: Vec<u32>,
    /// 0 takes the likeliest token; higher spreads the choice.
    pub temperature: f64,
    /// Choose among the likeliest tokens that hold this share of the probability.
    pub top_p: f64,
    /// Randomness of the choice. Each prompt draws from its own stream.
    pub seed: u64,
    /// Most prompts run together.
    pub batch_size: usize,
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

/// Continues every prompt (given as ids, none empty). The results do not depend on the batch size.
pub fn generate(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[Vec<u32>],
    options: &GenerateOptions,
) -> Result<Vec<Generation>> {
    if let Some(index) = prompts.iter().position(Vec::is_empty) {
        return Err(Error::Argument(format!("prompt {index} is empty")));
    }
    let stop_ids = if options.stop_ids.is_empty() {
        decoder.config().eos_token_ids.clone()
    } else {
        options.stop_ids.clone()
    };
    let mut done = Vec::with_capacity(prompts.len());
    for (batch_index, batch) in prompts.chunks(options.batch_size.max(1)).enumerate() {
        let first = batch_index * options.batch_size.max(1);
        let mut sequences: Vec<Sequence> = batch
            .iter()
            .enumerate()
            .map(|(i, prompt)| Sequence::new(decoder, prompt, options, (first + i) as u64))
            .collect();
        while sequences.iter().any(|s| s.finish.is_none()) {
            step(decoder, tokenizer, &mut sequences, options, &stop_ids)?;
        }
        for sequence in sequences {
            done.push(sequence.into_generation(tokenizer)?);
        }
    }
    Ok(done)
}

struct Sequence {
    cache: KvCache,
    pending: Vec<u32>,
    ids: Vec<u32>,
    sampler: Sampler,
    room: usize,
    finish: Option<FinishReason>,
    cut: Option<String>,
}

impl Sequence {
    fn new(decoder: &Decoder, prompt: &[u32], options: &GenerateOptions, stream: u64) -> Self {
        let left = decoder.config().context_length().saturating_sub(prompt.len());
        let room = options.max_new_tokens.min(left);
        let mut cache = decoder.cache();
        cache.reserve(prompt.len() + room);
        Self {
            cache,
            pending: prompt.to_vec(),
            ids: Vec::new(),
            sampler: Sampler::new(options.temperature, options.top_p, options.seed, stream),
            room,
            finish: (room == 0).then_some(FinishReason::Length),
            cut: None,
        }
    }

    fn accept(
        &mut self,
        id: u32,
        tokenizer: &Tokenizer,
        options: &GenerateOptions,
        stop_ids: &[u32],
    ) -> Result<()> {
        if stop_ids.contains(&id) {
            self.finish = Some(FinishReason::Stop);
            return Ok(());
        }
        self.ids.push(id);
        self.pending = vec![id];
        if !options.stop.is_empty() {
            let text = tokenizer.decode(&self.ids, true)?;
            if let Some(at) = options.stop.iter().filter(|s| !s.is_empty()).filter_map(|s| text.find(s)).min()
            {
                self.cut = Some(text[..at].to_owned());
                self.finish = Some(FinishReason::Stop);
                return Ok(());
            }
        }
        if self.ids.len() >= self.room {
            self.finish = Some(FinishReason::Length);
        }
        Ok(())
    }

    fn into_generation(self, tokenizer: &Tokenizer) -> Result<Generation> {
        let text = match self.cut {
            Some(text) => text,
            None => tokenizer.decode(&self.ids, true)?,
        };
        Ok(Generation { ids: self.ids, text, finish: self.finish.unwrap_or(FinishReason::Length) })
    }
}

/// One token for every sequence that is not done.
fn step(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    sequences: &mut [Sequence],
    options: &GenerateOptions,
    stop_ids: &[u32],
) -> Result<()> {
    let mut running: Vec<&mut Sequence> = sequences.iter_mut().filter(|s| s.finish.is_none()).collect();
    let lengths: Vec<usize> = running.iter().map(|s| s.pending.len()).collect();
    let hidden = {
        let mut batch: Vec<(&mut KvCache, &[u32])> =
            running.iter_mut().map(|s| (&mut s.cache, s.pending.as_slice())).collect();
        decoder.extend(&mut batch)?
    };
    let mut last = Vec::with_capacity(lengths.len());
    let mut end = 0_u32;
    for length in lengths {
        end += length as u32;
        last.push(end - 1);
    }
    let rows = candle_core::Tensor::from_vec(last, running.len(), hidden.device())?;
    let logits = decoder.logits(&hidden.index_select(&rows, 0)?)?.to_vec2::<f32>()?;
    for (sequence, logits) in running.iter_mut().zip(&logits) {
        let id = sequence.sampler.choose(logits);
        sequence.accept(id, tokenizer, options, stop_ids)?;
    }
    Ok(())
}
