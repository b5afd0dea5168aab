//! The wire: requests read with their bounds checked, answers as OpenAI documents them. No model in here.

mod chat;
mod completion;
mod content;
mod logprobs;
mod parameters;
mod usage;

pub use chat::ChatRequest;
pub(crate) use chat::{ChatAnswer, ChatChunk};
pub(crate) use completion::Piece;
pub use completion::{CompletionRequest, Prompt};
pub(crate) use logprobs::{CompletionLogprobs, chat_logprobs};
pub use parameters::{Parameters, StopStrings, StreamOptions};
pub use usage::Usage;
