//! The decoder as an ONNX graph: pre-norm, rotary, grouped-query attention, SwiGLU.
//!
//! Every family of `anneal_model::Architecture` goes through here; they differ in switches of the configuration.
//! Inputs and outputs are the pinned ones (conventions: "Models in and out"); batch, sequence and past are symbolic.

mod attention;
mod decoder;
mod linear;
mod recipe;
mod rotary;

pub(crate) use decoder::{Tap, write_decoder};
pub(crate) use recipe::{Core, Format, Recipe};
