//! Architectures, weight files (safetensors, GGUF), tokenizer, chat template, generation.
//!
//! A [`Source`] is a model on disk: a Hugging Face folder or a GGUF file. It yields a [`ModelConfig`], a
//! [`Tokenizer`], a [`ChatTemplate`] and tensors by their Hugging Face names, every byte of it checked before use.
//! A [`Decoder`] is that model in memory, ready to train, to score or to generate. This room knows no tasks.

pub mod chat;
pub mod config;
pub mod decoder;
pub mod error;
pub mod formula;
pub mod generate;
pub mod gguf;
mod json_file;
pub mod save;
pub mod source;
pub mod tokenizer;
pub mod weights;

pub use anneal_kernels::{Compute, Segments};
pub use chat::{ChatTemplate, Message, RenderOptions};
pub use config::{Architecture, ModelConfig, RopeScaling};
pub use decoder::{
    Decoder, DropoutState, Gradients, Keep, KvCache, LoadOptions, LoraConfig, LoraInit, Projection, Tape,
    TargetModules, WeightMode,
};
pub use error::{Error, Result};
pub use generate::{
    Continuation, FinishReason, GenerateOptions, Generation, Generator, Prompt, Sampler, generate,
};
pub use save::{merge_adapter, save_adapter, save_hf_folder};
pub use source::Source;
pub use tokenizer::Tokenizer;
pub use tokenizer::train::TokenizerTrainer;
