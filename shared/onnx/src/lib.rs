//! The only user of `ort`: loads ONNX Runtime and runs an exported decoder with its key-value cache.
//!
//! A *compiled folder* holds `model.onnx` with inputs `input_ids, attention_mask, position_ids,
//! past_key_values.%d.key|value` and outputs `logits, present.%d.key|value` (conventions: "Models in and out").
//! This crate knows nothing of tokenizers, tasks or how such a folder is made.
//!
//! ```no_run
//! # fn main() -> Result<(), anneal_onnx::Error> {
//! anneal_onnx::init(&anneal_onnx::find_library(None)?)?;
//! let mut session = anneal_onnx::Session::open("compiled".as_ref(), &anneal_onnx::Options::default())?;
//! let (mut state, logits) = session.prefill(&[&[1, 2, 3], &[4, 5]])?;
//! let next: Vec<u32> = (0..2).map(|row| anneal_onnx::argmax(logits.last(row))).collect();
//! let logits = session.step(&mut state, &next)?;
//! assert_eq!(logits.sequences(), 2);
//! # Ok(()) }
//! ```

mod error;
mod geometry;
mod greedy;
mod inspect;
mod library;
mod logits;
mod session;
mod state;
mod wire;

pub use error::{Error, Result};
pub use geometry::Geometry;
pub use greedy::{Greedy, greedy};
pub use inspect::{Inspection, inspect};
pub use library::{find_library, init, version};
pub use logits::{Logits, argmax};
pub use session::{Options, Session};
pub use state::State;
