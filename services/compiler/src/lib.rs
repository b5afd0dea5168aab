//! The compiler: `engine` turns a model into a validated ONNX folder.

pub mod engine;
pub mod service;
