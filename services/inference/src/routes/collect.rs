//! A whole answer from its events.

use tokio::sync::mpsc::Receiver;

use crate::{
    error::ApiError,
    generation::{Event, Finish, Scored},
    model::Answer,
};

/// An answer that has ended.
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) prompt: Vec<Scored>,
    pub(super) tokens: Vec<Scored>,
    pub(super) finish: Finish,
    pub(super) completion_tokens: usize,
}

pub(super) async fn collect(mut events: Receiver<Answer>) -> Result<Whole, ApiError> {
    let mut whole = Whole {
        text: String::new(),
        prompt: vec![],
        tokens: vec![],
        finish: Finish::Length,
        completion_tokens: 0,
    };
    while let Some(event) = events.recv().await {
        match event? {
            Event::Prompt(scored) => whole.prompt = scored,
            Event::Token { text, scored } => {
                whole.text.push_str(&text);
                whole.tokens.extend(scored);
            }
            Event::Done { finish, completion_tokens } => {
                (whole.finish, whole.completion_tokens) = (finish, completion_tokens);
                return Ok(whole);
            }
        }
    }
    // The model's thread ended without a word: it was lost.
    Err(ApiError::internal())
}
