//! From a row to what the model is asked: examples, messages, chat template, requests.
//!
//! Follows `ConfigurableTask.fewshot_context` and `construct_requests` of lm-evaluation-harness 0.4.13.

mod context;
mod conversation;
mod fewshot;
mod message;
mod request;

pub use context::{Chat, Context, context};
pub use conversation::{Conversations, conversation};
pub use fewshot::Sampling;
pub use message::Message;
pub use request::{Request, Stops, requests};
