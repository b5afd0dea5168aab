//! Attention of new queries over cached keys and values (inference; no gradients).

use candle_core::Tensor;

use super::forward::{Heads, Numerics, Sequence, forward};
use crate::{
    Compute, Result,
    error::refuse,
    slices::{on_cpu, tensor, with_floats},
};

/// One sequence's cache, which already includes the new tokens' keys and values: `[n, k, c]`, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct KvView<'a> {
    /// Keys, after the rotary embedding.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Key/value heads `k`.
    pub kv_heads: usize,
    /// How many of the batch's queries belong to this sequence; they are its last positions.
    pub queries: usize,
}

/// The new queries of every sequence (`q_thc`: sequence after sequence, `queries` rows each) over its cached keys.
/// The same bits as [`attention`](super::attention) over the whole sequence gives for these rows.
pub fn attention_cached(q_thc: &Tensor, caches: &[KvView], scale: f64) -> Result<Tensor> {
    attention_cached_as(q_thc, caches, scale, Compute::F32)
}

/// [`attention_cached`] with queries and output rounded to `compute`; the caches hold rounded values already.
pub fn attention_cached_as(
    q_thc: &Tensor,
    caches: &[KvView],
    scale: f64,
    compute: Compute,
) -> Result<Tensor> {
    let (t, h, c) = q_thc.dims3()?;
    if !on_cpu(q_thc) {
        return refuse("attention_cached", "only f32 on the CPU is supported");
    }
    if caches.iter().map(|cache| cache.queries).sum::<usize>() != t {
        return refuse("attention_cached", format!("the caches do not have {t} queries together"));
    }
    let Some(k) = caches.first().map(|cache| cache.kv_heads) else {
        return refuse("attention_cached", "no sequences");
    };
    for (index, cache) in caches.iter().enumerate() {
        let row = cache.kv_heads * c;
        let fits = cache.kv_heads == k && k > 0 && h % k == 0 && cache.queries > 0;
        if !fits
            || cache.keys.len() != cache.values.len()
            || cache.keys.len() % row != 0
            || cache.keys.len() / row < cache.queries
        {
            return refuse(
                "attention_cached",
                format!("cache {index} does not fit {h} heads of {c} and its queries"),
            );
        }
    }
    let (y, _) = with_floats(q_thc, |q| {
        let mut from = 0;
        let sequences: Vec<Sequence> = caches
            .iter()
            .map(|cache| {
                let to = from + cache.queries * h * c;
                let sequence = Sequence { q: &q[from..to], k: cache.keys, v: cache.values };
                from = to;
                sequence
            })
            .collect();
        Ok(forward(&sequences, Heads { h, k, c }, Numerics { scale: scale as f32, compute }))
    })?;
    Ok(tensor(y, (t, h, c))?)
}
