//! Causal attention over segments, with its gradients.

use crate::{
    Compute, KeyValues, Segments,
    attention::{Gradients, Heads, Numerics, Saved, Sequence, backward, forward, hold},
};

/// Attention of `heads` query heads over `kv_heads` key heads of size `head_dim`, each token over its own segment up to itself.
#[derive(Clone, Copy, Debug)]
pub struct AttentionRows<'a> {
    /// Where each sequence lies.
    pub segments: &'a Segments,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Size of a head.
    pub head_dim: usize,
    /// Factor on the scores.
    pub scale: f64,
    /// What inputs and output are rounded to.
    pub compute: Compute,
}

impl AttentionRows<'_> {
    fn heads(&self) -> Heads {
        Heads { h: self.heads, k: self.kv_heads, c: self.head_dim }
    }

    fn numerics(&self) -> Numerics {
        Numerics { scale: self.scale as f32, compute: self.compute }
    }

    /// The output `[t, h, c]` of `q` `[t, h, c]`, `k` and `v` `[t, k, c]`, and the log of every softmax's denominator `[t, h]`.
    pub fn forward(&self, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let held = hold(k, v, self.segments, self.heads(), self.compute);
        self.over(q, &held.iter().collect::<Vec<_>>())
    }

    /// The same output over keys and values that are held, one cache a segment: a segment's queries are the last positions of its own.
    ///
    /// # Panics
    /// Where there are not as many caches as segments.
    pub fn cached(&self, q: &[f32], held: &[&KeyValues]) -> Vec<f32> {
        assert_eq!(held.len(), self.segments.iter().len(), "one cache a segment");
        self.over(q, held).0
    }

    fn over(&self, q: &[f32], held: &[&KeyValues]) -> (Vec<f32>, Vec<f32>) {
        let row = self.heads * self.head_dim;
        let sequences = self.segments.iter().zip(held);
        let sequences: Vec<Sequence> = sequences
            .map(|(range, held)| Sequence { q: &q[range.start * row..range.end * row], held })
            .collect();
        forward(&sequences, self.heads(), self.numerics())
    }

    /// Gradients of `q`, `k` and `v` from the output's, with what the forward pass took and gave.
    pub fn gradients(
        &self,
        [q, k, v]: [&[f32]; 3],
        (y, log_sums): (&[f32], &[f32]),
        grad: &[f32],
    ) -> [Vec<f32>; 3] {
        let saved = Saved { q, k, v, y, grad, log_sums };
        let Gradients { dq, dk, dv } = backward(&saved, self.segments, self.heads(), self.numerics());
        [dq, dk, dv]
    }
}
