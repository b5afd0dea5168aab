//! Rows of a table by token id.

use candle_core::{CpuStorage, CustomOp1, Layout, Result as CandleResult, Shape, Tensor};

use crate::{
    Result, compose,
    error::refuse,
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// `w_vd[ids] -> [t, d]`; a gradient for the table when it is `trainable` (rows added in token order).
pub fn embedding(w_vd: &Tensor, ids: &[u32], trainable: bool) -> Result<Tensor> {
    let (v, _) = w_vd.dims2()?;
    if ids.is_empty() {
        return refuse("embedding", "no token ids");
    }
    if let Some(id) = ids.iter().find(|&&id| id as usize >= v) {
        return refuse("embedding", format!("token id {id} is beyond the vocabulary of {v}"));
    }
    let w_vd = if trainable { w_vd.clone() } else { w_vd.detach() };
    if !on_cpu(&w_vd) {
        return compose::embedding(&w_vd, ids);
    }
    Ok(w_vd.contiguous()?.apply_op1(Embedding(ids.to_vec()))?)
}

/// Rows `ids` of a table whose rows have `d` elements.
pub fn embedding_rows(table: &[f32], d: usize, ids: &[u32]) -> Vec<f32> {
    let mut rows = Vec::with_capacity(ids.len() * d);
    for &id in ids {
        rows.extend_from_slice(&table[id as usize * d..][..d]);
    }
    rows
}

/// Adds the rows of `grad` to the table's sum, in token order.
pub fn embedding_gradient(grad: &[f32], d: usize, ids: &[u32], sum: &mut [f32]) {
    for (&id, grad) in ids.iter().zip(grad.chunks(d)) {
        sum[id as usize * d..][..d].iter_mut().zip(grad).for_each(|(sum, g)| *sum += g);
    }
}

struct Embedding(Vec<u32>);

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, w: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (_, d) = layout.shape().dims2()?;
        Ok(stored(embedding_rows(floats(w, layout)?, d, &self.0), (self.0.len(), d)))
    }

    fn bwd(&self, w: &Tensor, _rows: &Tensor, grad: &Tensor) -> CandleResult<Option<Tensor>> {
        let (v, d) = w.dims2()?;
        let mut dw = vec![0.0; v * d];
        with_floats(grad, |grad| {
            embedding_gradient(grad, d, &self.0, &mut dw);
            Ok(())
        })?;
        Ok(Some(tensor(dw, (v, d))?))
    }
}
