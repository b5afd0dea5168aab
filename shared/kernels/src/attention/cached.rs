//! Attention of new queries over cached keys and values (inference; no gradients).

use candle_core::Tensor;

use super::forward::{Heads, Numerics, Sequence, forward};
use crate::{
    Compute, Result, compose,
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
    if !on_cpu(q_thc) {
        return composed(q_thc, caches, scale, compute);
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

/// The caches are on the host: their keys and values are copied for every call.
pub(crate) fn composed(q_thc: &Tensor, caches: &[KvView], scale: f64, compute: Compute) -> Result<Tensor> {
    let (_, _, c) = q_thc.dims3()?;
    let q_thc = compose::round_to(q_thc, compute)?;
    let mut from = 0;
    let mut outputs = Vec::with_capacity(caches.len());
    for cache in caches {
        let held = |values: &[f32]| {
            let shape = (values.len() / (cache.kv_heads * c), cache.kv_heads, c);
            Tensor::from_slice(values, shape, q_thc.device())
        };
        let q_nhc = q_thc.narrow(0, from, cache.queries)?;
        outputs.push(compose::attend(&q_nhc, &held(cache.keys)?, &held(cache.values)?, scale)?);
        from += cache.queries;
    }
    compose::round_to(&Tensor::cat(&outputs, 0)?, compute)
}
