//! Keys and values of what a sequence has seen, and running a model further from there.

use std::ops::Range;

use anneal_kernels::{KeyValues, KvView, Segments, attention_cached_as, in_pool, rows::with_floats};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::layer::Sizes;
use super::{Decoder, Pass, check_rows, graph};
use crate::error::{Error, Result};

/// New tokens of a batch below which a second thread costs more than it helps to put them into the caches.
const PARALLEL_TOKENS: usize = 64;

/// One sequence's keys and values in every layer. Cloning copies them, so that several continuations can follow one
/// prefix.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<KeyValues>,
    tokens: usize,
}

impl KvCache {
    /// Tokens seen so far.
    pub fn len(&self) -> usize {
        self.tokens
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.tokens == 0
    }

    /// Forgets everything after the first `tokens`.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
        self.layers.iter_mut().for_each(|layer| layer.truncate(self.tokens));
    }

    /// The first `tokens` of it, copied.
    #[must_use]
    pub fn beginning(&self, tokens: usize) -> Self {
        let tokens = tokens.min(self.tokens);
        Self { layers: self.layers.iter().map(|layer| layer.beginning(tokens)).collect(), tokens }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(KeyValues::bytes).sum()
    }
}

impl Decoder {
    /// Bytes of keys and values that a token takes in a cache.
    pub fn cache_bytes_a_token(&self) -> usize {
        let config = self.config();
        config.layers * KeyValues::bytes_a_token(config.kv_heads, config.head_dim, self.compute())
    }

    /// An empty cache for one sequence.
    pub fn cache(&self) -> KvCache {
        let config = self.config();
        let layer = KeyValues::new(config.kv_heads, config.head_dim, self.compute());
        KvCache { layers: vec![layer; config.layers], tokens: 0 }
    }

    /// Runs every sequence further by its new tokens and returns the hidden states `[n, d]` after the final norm of some `rows` of them all,
    /// sequence after sequence; behind the last attention nothing is done for the others. The bits are those of [`Self::hidden`] over the
    /// whole sequences, however the tokens are split into calls and whatever else is in the batch. On an error the caches are as before.
    pub fn extend(&self, batch: &mut [(&mut KvCache, &[u32])], rows: &[usize]) -> Result<Tensor> {
        let before: Vec<usize> = batch.iter().map(|(cache, _)| cache.len()).collect();
        let result = self.extend_all(batch, rows);
        if result.is_err() {
            for ((cache, _), tokens) in batch.iter_mut().zip(before) {
                cache.truncate(tokens);
            }
        }
        result
    }

    fn extend_all(&self, batch: &mut [(&mut KvCache, &[u32])], rows: &[usize]) -> Result<Tensor> {
        let lengths: Vec<usize> = batch.iter().map(|(_, tokens)| tokens.len()).collect();
        let segments = Segments::new(&lengths)?;
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        for (cache, new) in batch.iter() {
            if cache.layers.len() != self.config().layers {
                return Err(Error::Argument("a cache made by another model".to_owned()));
            }
            self.check_length(cache.len() + new.len())?;
            tokens.extend_from_slice(new);
            positions.extend((cache.len()..cache.len() + new.len()).map(|p| p as u32));
        }
        check_rows(&tokens, &segments, rows)?;
        let pass = self.pass_at(segments, &positions)?;
        let hidden_nd = if self.device().is_cpu() {
            self.extend_rows(&tokens, pass, batch, rows)?
        } else {
            graph::gathered(&self.extend_tensors(&tokens, &pass, batch)?, rows)?
        };
        for ((cache, _), length) in batch.iter_mut().zip(lengths) {
            cache.tokens += length;
        }
        Ok(hidden_nd)
    }

    fn extend_rows(
        &self,
        tokens: &[u32],
        pass: Pass,
        batch: &mut [(&mut KvCache, &[u32])],
        rows: &[usize],
    ) -> Result<Tensor> {
        in_pool(|| {
            self.hidden_by(tokens, pass, rows, |index, attention, [q, k, v]| {
                append(index, (k, v), batch);
                let held: Vec<&KeyValues> = batch.iter().map(|(cache, _)| &cache.layers[index]).collect();
                attention.cached(q, &held)
            })
        })
    }

    fn extend_tensors(
        &self,
        tokens: &[u32],
        pass: &Pass,
        batch: &mut [(&mut KvCache, &[u32])],
    ) -> Result<Tensor> {
        let mut x_td = self.embed(tokens)?;
        for index in 0..self.layers().len() {
            x_td = self.extend_layer(index, &x_td, pass, batch)?;
        }
        self.final_norm(&x_td)
    }

    fn extend_layer(
        &self,
        index: usize,
        x_td: &Tensor,
        pass: &Pass,
        batch: &mut [(&mut KvCache, &[u32])],
    ) -> Result<Tensor> {
        let sizes = Sizes::new(self.config(), self.compute());
        let layer = &self.layers()[index];
        let heads = layer.heads(x_td, sizes, pass, &mut None)?;
        let host = |x: &Tensor| x.to_device(&Device::Cpu);
        let (k_tkc, v_tkc) = (host(&heads.k_tkc)?, host(&heads.v_tkc)?);
        with_floats(&k_tkc, |keys| {
            with_floats(&v_tkc, |values| {
                append(index, (keys, values), batch);
                Ok(())
            })
        })?;
        let views: Vec<KvView<'_>> = batch
            .iter()
            .map(|(cache, new)| KvView { held: &cache.layers[index], queries: new.len() })
            .collect();
        let attended = attention_cached_as(&heads.q_thc, &views, sizes.scale(), sizes.compute)?;
        layer.finish(x_td, &attended, sizes, pass, &mut None)
    }
}

/// Appends the new keys and values `[t, k, c]` of a layer to every sequence's cache.
fn append(index: usize, (keys, values): (&[f32], &[f32]), batch: &mut [(&mut KvCache, &[u32])]) {
    let tokens: usize = batch.iter().map(|(_, new)| new.len()).sum();
    let row = keys.len() / tokens.max(1);
    let mut from = 0;
    let mut appends = Vec::with_capacity(batch.len());
    for (cache, new) in batch.iter_mut() {
        let to = from + new.len() * row;
        appends.push((&mut cache.layers[index], from..to));
        from = to;
    }
    let append = |(held, own): (&mut KeyValues, Range<usize>)| held.append(&keys[own.clone()], &values[own]);
    if tokens < PARALLEL_TOKENS {
        appends.into_iter().for_each(append);
    } else {
        in_pool(|| appends.into_par_iter().for_each(append));
    }
}
