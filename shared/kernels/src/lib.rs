//! Fast CPU operations of a decoder language model, with their gradients, as candle custom operations.
//!
//! Shape letters: `t` tokens (every sequence of a batch laid end to end, no padding), `d` hidden, `i` in, `o` out,
//! `h` heads, `k` key/value heads, `c` head dimension, `v` vocabulary.
//!
//! Determinism contract: a row of an output depends bit for bit only on that row's inputs, never on how many other rows
//! are in the call nor on the number of threads. Gradients of weights are summed over tokens in a fixed order.
//! On a device other than the CPU every operation is composed of candle's own operations ([`compose`]).
//!
//! This is the only room with `unsafe` code.

mod adamw;
mod aligned;
mod attention;
mod bf16_cells;
mod compose;
mod compute;
mod cross_entropy;
mod device;
mod embedding;
mod error;
mod exponential;
mod fetch;
mod frozen;
mod gemm;
#[cfg(target_arch = "x86_64")]
mod half_precision;
mod isa;
mod linear;
mod log_softmax;
mod mapped;
mod nf4;
mod norm;
mod pool;
mod rms_norm;
mod rope;
mod round;
pub mod rows;
mod scores;
mod scratch;
mod segments;
mod shared_slice;
mod slices;
mod swiglu;
#[cfg(test)]
mod tests;

pub use adamw::{AdamW, AdamWOptions, Moments};
pub use attention::{KeyValues, KvView, attention, attention_as, attention_cached, attention_cached_as};
pub use compute::Compute;
pub use cross_entropy::{
    IGNORE, TokenLoss, linear_cross_entropy, linear_log_probs, linear_log_probs_composed,
};
pub use device::device;
pub use embedding::embedding;
pub use error::{Error, Result};
pub use frozen::FrozenLinear;
pub use isa::{Isa, MAX_ISA, best_isa, isa, limit_isa, use_isa};
pub use linear::linear;
pub use mapped::MappedFile;
pub use nf4::Nf4Linear;
pub use norm::global_norm;
pub use pool::{in_pool, set_threads, threads};
pub use rms_norm::rms_norm;
pub use rope::rope;
pub use round::round_to;
pub use segments::Segments;
pub use swiglu::swiglu;
