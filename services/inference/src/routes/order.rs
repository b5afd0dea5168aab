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

/// The length of an answer: as asked when it fits, the rest of the context when nothing was asked. A prompt that is longer
/// than the context is refused whatever is asked, no answer at all included.
pub(super) fn length(context: usize, prompt: usize, asked: Option<usize>) -> Result<usize, ApiError> {
    match (context.checked_sub(prompt), asked) {
        (Some(free), Some(wanted)) if wanted <= free => Ok(wanted),
        (Some(free), None) if free > 0 => Ok(free),
        (_, asked) => Err(ApiError::context_length(context, prompt, asked.unwrap_or(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_and_answer_fit_into_the_context_together() {
        assert_eq!(length(8, 5, Some(3)).ok(), Some(3));
        assert_eq!(length(8, 5, None).ok(), Some(3));
        assert_eq!(length(8, 8, Some(0)).ok(), Some(0));
        for (prompt, asked) in [(5, Some(4)), (8, None), (8, Some(1)), (5, Some(usize::MAX))] {
            assert!(length(8, prompt, asked).is_err(), "{prompt} and {asked:?}");
        }
    }

    #[test]
    fn a_prompt_past_the_context_is_refused_even_when_nothing_is_to_be_written() {
        for asked in [Some(0), Some(1), None] {
            let refusal = length(8, 9, asked).map_err(|error| error.body()["error"]["code"].to_string());
            assert_eq!(refusal, Err("\"context_length_exceeded\"".to_owned()), "{asked:?}");
        }
    }
}
