//! GGUF files, versions 2 and 3 (specification: ggml's `docs/gguf.md`), read with every count and offset bounded.
//!
//! Metadata is held; tensors are read and dequantised when asked for.

mod cursor;
mod file;
mod names;
mod quant;
mod value;

pub use file::{Gguf, GgufTensor};
pub use quant::GgmlType;
pub use value::{Array, Value};
