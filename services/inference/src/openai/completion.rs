//! `/v1/completions`.

use serde::Deserialize;

use super::parameters::{Parameters, refuse};
use crate::error::ApiError;

/// Prompts of one request at most.
const MOST_PROMPTS: usize = 128;

/// A prompt, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// Token ids.
    Tokens(Vec<u32>),
    /// Lists of token ids.
    TokenLists(Vec<Vec<u32>>),
}

/// One prompt.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Tokens(Vec<u32>),
}

/// A request.
#[derive(Clone, Debug, Deserialize)]
pub struct CompletionRequest {
    /// Name of a deployed model.
    pub model: String,
    /// What to continue; the model's beginning of text when left out.
    pub prompt: Option<Prompt>,
    /// Whether the prompt comes back in front of the answer.
    pub echo: Option<bool>,
    /// Alternatives told with each token, up to 5.
    pub logprobs: Option<usize>,
    /// Not supported beyond `n`.
    pub best_of: Option<usize>,
    /// Not supported.
    pub suffix: Option<String>,
    /// Shared parameters.
    #[serde(flatten)]
    pub parameters: Parameters,
}

impl CompletionRequest {
    pub(crate) fn prompts(&self) -> Result<Vec<Piece>, ApiError> {
        refuse("suffix", self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()))?;
        refuse("best_of", self.best_of.is_some_and(|best| best != self.parameters.n.unwrap_or(1)))?;
        let prompts: Vec<Piece> = match &self.prompt {
            None => vec![Piece::Text(String::new())],
            Some(Prompt::Text(text)) => vec![Piece::Text(text.clone())],
            Some(Prompt::Texts(texts)) => texts.iter().cloned().map(Piece::Text).collect(),
            Some(Prompt::Tokens(tokens)) => vec![Piece::Tokens(tokens.clone())],
            Some(Prompt::TokenLists(lists)) => lists.iter().cloned().map(Piece::Tokens).collect(),
        };
        if prompts.is_empty() || prompts.len() > MOST_PROMPTS {
            return Err(ApiError::invalid(
                "prompt",
                format!("between 1 and {MOST_PROMPTS} prompts are allowed"),
            ));
        }
        if self.parameters.streams() && prompts.len() > 1 {
            return Err(ApiError::invalid(
                "stream",
                "several prompts are answered whole; send one prompt to stream",
            ));
        }
        Ok(prompts)
    }

    pub(crate) fn alternatives(&self) -> Result<Option<usize>, ApiError> {
        match self.logprobs {
            Some(count) if count > 5 => Err(ApiError::invalid("logprobs", "at most 5")),
            other => Ok(other),
        }
    }

    pub(crate) fn echoes(&self) -> bool {
        self.echo.unwrap_or(false)
    }
}
