//! Attention of new queries over cached keys and values (inference; no gradients).

use candle_core::Tensor;

use super::held::KeyValues;
use crate::{
    Compute, Result, Segments, compose,
    error::refuse,
    rows::AttentionRows,
    slices::{on_cpu, tensor, with_floats},
};

/// One sequence's cache, which already includes the new tokens' keys (after the rotary embedding) and values.
#[derive(Clone, Copy, Debug)]
pub struct KvView<'a> {
    /// Keys and values, rounded to what attention is.
    pub held: &'a KeyValues,
    /// How many of the batch's queries belong to this sequence; they are its last positions.
    pub queries: usize,
}

/// The new queries of every sequence (`q_thc`: sequence after sequence, `queries` rows each) over its cached keys.
/// The same bits as [`attention`](super::attention) over the whole sequence gives for these rows.
pub fn attention_cached(q_thc: &Tensor, caches: &[KvView], scale: f64) -> Result<Tensor> {
    attention_cached_as(q_thc, caches, scale, Compute::F32)
}

/// [`attention_cached`] with queries and output rounded to `compute`, as the caches are.
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
    let Some(k) = caches.first().map(|cache| cache.held.heads().0) else {
        return refuse("attention_cached", "no sequences");
    };
    for (index, KvView { held, queries }) in caches.iter().enumerate() {
        let fits = held.heads() == (k, c) && held.compute() == compute && k > 0 && h % k == 0;
        if !fits || *queries == 0 || held.len() < *queries {
            return refuse(
                "attention_cached",
                format!("cache {index} does not fit {h} heads of {c} in {compute:?} and its queries"),
            );
        }
    }
    if !on_cpu(q_thc) {
        return composed(q_thc, caches, scale, compute);
    }
    let segments = Segments::new(&caches.iter().map(|cache| cache.queries).collect::<Vec<_>>())?;
    let held: Vec<&KeyValues> = caches.iter().map(|cache| cache.held).collect();
    let rows = AttentionRows { segments: &segments, heads: h, kv_heads: k, head_dim: c, scale, compute };
    let y = with_floats(q_thc, |q| Ok(rows.cached(q, &held)))?;
    Ok(tensor(y, (t, h, c))?)
}

/// The caches are on the host: their keys and values are copied for every call.
pub(crate) fn composed(q_thc: &Tensor, caches: &[KvView], scale: f64, compute: Compute) -> Result<Tensor> {
    let (_, _, c) = q_thc.dims3()?;
    let q_thc = compose::round_to(q_thc, compute)?;
    let mut from = 0;
    let mut outputs = Vec::with_capacity(caches.len());
    for cache in caches {
        let (keys, values) = cache.held.plain();
        let shape = (cache.held.len(), cache.held.heads().0, c);
        let tensor = |values| Tensor::from_vec(values, shape, q_thc.device());
        let q_nhc = q_thc.narrow(0, from, cache.queries)?;
        outputs.push(compose::attend(&q_nhc, &tensor(keys)?, &tensor(values)?, scale)?);
        from += cache.queries;
    }
    compose::round_to(&Tensor::cat(&outputs, 0)?, compute)
}
