//! Serves compiled models: OpenAI-compatible chat and completions.
//!
//! [`Deployments`] is the registry of loaded models; [`routes::configure`] puts them behind HTTP. ONNX Runtime is loaded
//! with the first model, so that a service without models stays small. This room knows nothing of training.

mod config;
pub mod deployments;
pub mod error;
mod generation;
mod keeper;
mod model;
pub mod openai;
pub mod routes;
mod sampling;
pub mod server;
mod service;
mod text;

pub use config::Config;
pub use deployments::{Deployments, LoadError, Settings};
pub use error::ApiError;
pub use service::serve;
