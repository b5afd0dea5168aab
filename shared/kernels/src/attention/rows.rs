//! Attention row by row, forward and backward.

use rayon::prelude::*;

use crate::{Segments, pool::in_pool, rms_norm::dot};

/// Head counts and size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub(super) h: usize,
    pub(super) k: usize,
    pub(super) c: usize,
}

/// One sequence: queries are the last positions of its keys. Slices are `[n, h|k, c]`.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
}

/// What the backward pass needs of the forward pass, all segments together.
pub(super) struct Saved<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) y: &'a [f32],
    pub(super) grad: &'a [f32],
    pub(super) log_sums: &'a [f32],
}

/// Output rows and log-sums, sequence after sequence.
pub(super) fn forward(sequences: &[Sequence], heads: Heads, scale: f32) -> (Vec<f32>, Vec<f32>) {
    let Heads { h, k, c } = heads;
    let total: usize = sequences.iter().map(|s| s.q.len()).sum();
    let rows: Vec<(Sequence, usize)> =
        sequences.iter().flat_map(|&s| (0..s.q.len() / (h * c)).map(move |row| (s, row))).collect();
    let mut y = vec![0.0; total];
    let mut log_sums = vec![0.0; total / c];
    in_pool(|| {
        y.par_chunks_mut(h * c).zip(log_sums.par_chunks_mut(h)).zip(&rows).for_each(
            |((y, log_sums), &(s, row))| {
                let keys = s.k.len() / (k * c) - s.q.len() / (h * c) + row + 1;
                let mut scores = vec![0.0; keys];
                for head in 0..h {
                    let q = &s.q[(row * h + head) * c..][..c];
                    let kv = head / (h / k);
                    for (j, score) in scores.iter_mut().enumerate() {
                        *score = scale * dot(q, &s.k[(j * k + kv) * c..][..c]);
                    }
                    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let y = &mut y[head * c..][..c];
                    let mut sum = 0.0;
                    for (j, score) in scores.iter().enumerate() {
                        let weight = (score - max).exp();
                        sum += weight;
                        let v = &s.v[(j * k + kv) * c..][..c];
                        y.iter_mut().zip(v).for_each(|(y, v)| *y += weight * v);
                    }
                    y.iter_mut().for_each(|y| *y /= sum);
                    log_sums[head] = max + sum.ln();
                }
            },
        );
    });
    (y, log_sums)
}

/// Gradients of q, k and v.
pub(super) fn backward(
    s: &Saved,
    segments: &Segments,
    heads: Heads,
    scale: f32,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let Heads { h, k, c } = heads;
    let (mut dq, mut dk, mut dv) = (vec![0.0; s.q.len()], vec![0.0; s.k.len()], vec![0.0; s.v.len()]);
    for range in segments.iter() {
        for i in range.clone() {
            for head in 0..h {
                let at = (i * h + head) * c;
                let (q, grad, y) = (&s.q[at..][..c], &s.grad[at..][..c], &s.y[at..][..c]);
                let delta = dot(grad, y);
                for j in range.start..=i {
                    let kv = (j * k + head / (h / k)) * c;
                    let p = (scale * dot(q, &s.k[kv..][..c]) - s.log_sums[i * h + head]).exp();
                    let ds = p * (dot(grad, &s.v[kv..][..c]) - delta) * scale;
                    for n in 0..c {
                        dv[kv + n] += p * grad[n];
                        dk[kv + n] += ds * q[n];
                        dq[at + n] += ds * s.k[kv + n];
                    }
                }
            }
        }
    }
    (dq, dk, dv)
}
