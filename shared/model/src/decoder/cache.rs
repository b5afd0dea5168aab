//! Keys and values of what a sequence has seen, and running a model further from there.

use anneal_kernels::{Compute, KvView, Segments, attention_cached_as};
use candle_core::Tensor;

use super::layer::{Heads, Sizes};
use super::{Decoder, Pass};
use crate::error::{Error, Result};

/// Tokens that a full cache grows by.
const GROWTH_TOKENS: usize = 64;

/// One sequence's keys and values in every layer. Cloning copies them, so that several continuations can follow one
/// prefix.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
    row: usize,
}

#[derive(Debug, Clone, Default)]
struct LayerCache {
    keys: Vec<f32>,
    values: Vec<f32>,
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
        for layer in &mut self.layers {
            layer.keys.truncate(self.tokens * self.row);
            layer.values.truncate(self.tokens * self.row);
        }
    }

    /// The first `tokens` of it, copied.
    #[must_use]
    pub fn beginning(&self, tokens: usize) -> Self {
        let tokens = tokens.min(self.tokens);
        let to = tokens * self.row;
        let layers = self
            .layers
            .iter()
            .map(|layer| LayerCache { keys: layer.keys[..to].to_vec(), values: layer.values[..to].to_vec() });
        Self { layers: layers.collect(), tokens, row: self.row }
    }

    /// Makes room for `tokens` more, so that extending does not move what is there.
    pub fn reserve(&mut self, tokens: usize) {
        for layer in &mut self.layers {
            layer.keys.reserve_exact(tokens * self.row);
            layer.values.reserve_exact(tokens * self.row);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|l| (l.keys.capacity() + l.values.capacity()) * 4).sum()
    }
}

impl Decoder {
    /// Bytes of keys and values that a token takes in a cache.
    pub fn cache_bytes_a_token(&self) -> usize {
        let config = self.config();
        config.layers * config.kv_heads * config.head_dim * 2 * size_of::<f32>()
    }

    /// An empty cache for one sequence.
    pub fn cache(&self) -> KvCache {
        let config = self.config();
        KvCache {
            layers: vec![LayerCache::default(); config.layers],
            tokens: 0,
            row: config.kv_heads * config.head_dim,
        }
    }

    /// Runs every sequence further by its new tokens and returns their hidden states `[t, d]` after the final norm,
    /// sequence after sequence. The bits are those of [`Self::hidden`] over the whole sequences, however the tokens are
    /// split into calls and whatever else is in the batch. On an error the caches are as before.
    pub fn extend(&self, batch: &mut [(&mut KvCache, &[u32])]) -> Result<Tensor> {
        let before: Vec<usize> = batch.iter().map(|(cache, _)| cache.len()).collect();
        let result = self.extend_all(batch);
        if result.is_err() {
            for ((cache, _), tokens) in batch.iter_mut().zip(before) {
                cache.truncate(tokens);
            }
        }
        result
    }

    fn extend_all(&self, batch: &mut [(&mut KvCache, &[u32])]) -> Result<Tensor> {
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
        let pass = self.pass_at(segments, &positions)?;
        let mut x_td = self.embed(&tokens)?;
        for index in 0..self.layers().len() {
            x_td = self.extend_layer(index, &x_td, &pass, batch)?;
        }
        for ((cache, _), length) in batch.iter_mut().zip(lengths) {
            cache.tokens += length;
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
        append(index, &heads, self.compute(), batch)?;
        let views: Vec<KvView<'_>> = batch
            .iter()
            .map(|(cache, new)| KvView {
                keys: &cache.layers[index].keys,
                values: &cache.layers[index].values,
                kv_heads: sizes.kv_heads,
                queries: new.len(),
            })
            .collect();
        let attended = attention_cached_as(&heads.q_thc, &views, sizes.scale(), sizes.compute)?;
        layer.finish(x_td, &attended, sizes, pass, &mut None)
    }
}

/// Appends the new keys and values, rounded as attention would round them, to every sequence's cache.
fn append(index: usize, heads: &Heads, compute: Compute, batch: &mut [(&mut KvCache, &[u32])]) -> Result<()> {
    let rounded = |x: &Tensor| -> Result<Vec<f32>> {
        let mut values = x.flatten_all()?.to_vec1::<f32>()?;
        if compute != Compute::F32 {
            for value in &mut values {
                *value = compute.round(*value);
            }
        }
        Ok(values)
    };
    let (keys, values) = (rounded(&heads.k_tkc)?, rounded(&heads.v_tkc)?);
    let mut from = 0;
    for (cache, new) in batch.iter_mut() {
        let to = from + new.len() * cache.row;
        let growth = (GROWTH_TOKENS * cache.row).max(to - from);
        let layer = &mut cache.layers[index];
        for (held, new) in [(&mut layer.keys, &keys[from..to]), (&mut layer.values, &values[from..to])] {
            if held.capacity() - held.len() < new.len() {
                // Not doubled: a batch's memory is counted in tokens.
                held.reserve_exact(growth);
            }
            held.extend_from_slice(new);
        }
        from = to;
    }
    Ok(())
}
