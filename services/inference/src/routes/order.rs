//! From a request to what a model is asked: tokens within the context, and a length.

use anneal_model::RenderOptions;

use crate::{
    error::ApiError,
    model::Text,
    openai::{ChatRequest, Piece},
};

/// Tokens of a conversation, ending where the assistant begins to speak.
pub(super) fn chat_prompt(text: &Text, request: &ChatRequest) -> Result<Vec<u32>, ApiError> {
    let messages = request.conversation()?;
    let template = text.template.as_ref();
    let template = template
        .ok_or_else(|| ApiError::invalid("model", "this model has no chat template; use /v1/completions"))?;
    let rendered = template.render(&messages, &RenderOptions::generation_prompt(true)).map_err(|error| {
        ApiError::invalid("messages", format!("the model's chat template refuses them: {error}"))
    })?;
    tokens(text, &rendered, false, "messages")
}

/// Tokens of a completion's prompt.
pub(super) fn completion_prompt(text: &Text, piece: &Piece) -> Result<Vec<u32>, ApiError> {
    match piece {
        Piece::Text(prompt) => tokens(text, prompt, true, "prompt"),
        Piece::Tokens(tokens) if tokens.is_empty() => {
            Err(ApiError::invalid("prompt", "a prompt has at least one token"))
        }
        Piece::Tokens(tokens) => match tokens.iter().find(|&&token| token as usize >= text.vocabulary) {
            Some(token) => Err(ApiError::invalid("prompt", format!("{token} is not a token of this model"))),
            None => Ok(tokens.clone()),
        },
    }
}

fn tokens(text: &Text, prompt: &str, special: bool, param: &str) -> Result<Vec<u32>, ApiError> {
    let encoded = text
        .tokenizer
        .encode(prompt, special)
        .map_err(|error| ApiError::invalid(param, error.to_string()))?;
    if encoded.is_empty() {
        let begin = text.tokenizer.bos_id().or(text.tokenizer.eos_id());
        return begin
            .map(|token| vec![token])
            .ok_or_else(|| ApiError::invalid(param, "a prompt has at least one token"));
    }
    if let Some(token) = encoded.iter().find(|&&token| token as usize >= text.vocabulary) {
        return Err(ApiError::invalid(param, format!("token {token} is beyond the model's vocabulary")));
    }
    Ok(encoded)
}

/// The length of an answer: as asked when it fits, the rest of the context when nothing was asked.
pub(super) fn length(text: &Text, prompt: usize, asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = text.context_length;
    let free = limit.saturating_sub(prompt);
    match asked {
        Some(wanted) if wanted > free => Err(ApiError::context_length(limit, prompt, wanted)),
        Some(wanted) => Ok(wanted),
        None if free == 0 => Err(ApiError::context_length(limit, prompt, 1)),
        None => Ok(free),
    }
}
