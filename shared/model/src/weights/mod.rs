//! Tensors on disk: what a file claims is checked against what it holds before a byte is used.
//!
//! Owns the formats of Hugging Face folders; GGUF has a module of its own. Names of tensors are keys, never paths.

pub mod element;
mod pickle;
pub mod safetensors;
mod shards;

pub use element::Element;
pub use safetensors::SafeTensors;
pub use shards::ShardedWeights;

pub(crate) use pickle::refuse_pickle;
