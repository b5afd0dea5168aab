//! Models on disk and in memory, as another room uses them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adapters;
mod bad_gguf;
mod bad_safetensors;
mod checks;
mod decoding;
mod folders;
mod fuzz;
mod gguf_bytes;
mod mutation;
mod outside;
mod reference;
mod seeds;
mod tape;
mod templates;
mod tokenizer_cases;
mod tokenizer_training;
