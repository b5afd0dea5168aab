//! How fast the artifact reads and writes.

use std::time::Instant;

use anneal_onnx::{Session, argmax};
use serde::Serialize;

use crate::engine::error::Result;

const WRITTEN_TOKENS: usize = 32;

/// Tokens a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Speed {
    /// Reading a prompt.
    pub(crate) prefill_tokens_per_second: f64,
    /// Writing, one sequence, greedily.
    pub(crate) decode_tokens_per_second: f64,
    /// Threads used.
    pub(crate) threads: usize,
}

/// Times one prompt and [`WRITTEN_TOKENS`] tokens after it; the first pass warms up.
pub(crate) fn measure(session: &mut Session, prompt: &[u32], threads: usize) -> Result<Speed> {
    session.prefill(&[prompt])?;
    let begin = Instant::now();
    let (mut state, mut logits) = session.prefill(&[prompt])?;
    let prefill = prompt.len() as f64 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    for _ in 0..WRITTEN_TOKENS {
        logits = session.step(&mut state, &[argmax(logits.last(0))])?;
    }
    let decode = WRITTEN_TOKENS as f64 / begin.elapsed().as_secs_f64();
    Ok(Speed { prefill_tokens_per_second: prefill, decode_tokens_per_second: decode, threads })
}
