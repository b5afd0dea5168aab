//! `/v1/chat/completions`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Usage,
    content::message,
    parameters::{Parameters, refuse},
};
use crate::error::ApiError;

/// A request. Keys that change nothing here (`user`, `metadata`, …) are accepted and ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct ChatRequest {
    /// Name of a deployed model.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Value>,
    /// The newer name of `max_tokens`.
    pub max_completion_tokens: Option<usize>,
    /// Whether log-probabilities are told.
    pub logprobs: Option<bool>,
    /// Alternatives told with each token, up to 20.
    pub top_logprobs: Option<usize>,
    /// Tool definitions: not supported.
    pub tools: Option<Value>,
    /// Only `{"type": "text"}` is supported.
    pub response_format: Option<Value>,
    /// Shared parameters.
    #[serde(flatten)]
    pub parameters: Parameters,
}

impl ChatRequest {
    /// The conversation, checked.
    pub(crate) fn conversation(&self) -> Result<Vec<anneal_model::Message>, ApiError> {
        refuse(
            "tools",
            self.tools.as_ref().is_some_and(|tools| tools.as_array().is_none_or(|list| !list.is_empty())),
        )?;
        let format = self.response_format.as_ref().and_then(|format| format.get("type"));
        refuse("response_format", format.is_some_and(|kind| kind != "text"))?;
        if self.messages.is_empty() {
            return Err(ApiError::invalid("messages", "a conversation has at least one message"));
        }
        self.messages.iter().enumerate().map(|(index, value)| message(index, value)).collect()
    }

    /// Alternatives to tell with each token, when log-probabilities are wanted.
    pub(crate) fn alternatives(&self) -> Result<Option<usize>, ApiError> {
        match (self.logprobs.unwrap_or(false), self.top_logprobs) {
            (true, Some(count)) if count > 20 => Err(ApiError::invalid("top_logprobs", "at most 20")),
            (true, count) => Ok(Some(count.unwrap_or(0))),
            (false, None) => Ok(None),
            (false, Some(_)) => {
                Err(ApiError::invalid("top_logprobs", "'logprobs' must be true for 'top_logprobs'"))
            }
        }
    }

    pub(crate) fn max_tokens(&self) -> Option<usize> {
        self.max_completion_tokens.or(self.parameters.max_tokens)
    }
}

/// One answer of a whole response.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChatAnswer {
    pub(crate) index: usize,
    pub(crate) text: String,
    pub(crate) logprobs: Option<Value>,
    pub(crate) finish: &'static str,
}

impl ChatAnswer {
    /// The whole response.
    pub(crate) fn response(id: &str, created: i64, model: &str, answers: &[Self], usage: Usage) -> Value {
        let choices: Vec<Value> = answers
            .iter()
            .map(|answer| {
                json!({
                    "index": answer.index,
                    "message": { "role": "assistant", "content": answer.text, "refusal": null },
                    "logprobs": answer.logprobs,
                    "finish_reason": answer.finish,
                })
            })
            .collect();
        json!({
            "id": id, "object": "chat.completion", "created": created, "model": model,
            "choices": choices, "usage": usage, "system_fingerprint": null,
        })
    }
}

/// One event of a streamed response.
pub(crate) struct ChatChunk<'a> {
    pub(crate) id: &'a str,
    pub(crate) created: i64,
    pub(crate) model: &'a str,
}

impl ChatChunk<'_> {
    fn wrap(&self, choices: &Value, usage: &Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "system_fingerprint": null, "choices": choices, "usage": usage,
        })
    }

    pub(crate) fn delta(
        &self,
        index: usize,
        delta: &Value,
        logprobs: Option<&Value>,
        finish: Option<&str>,
    ) -> Value {
        let choice = json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
        self.wrap(&json!([choice]), &Value::Null)
    }

    pub(crate) fn usage(&self, usage: Usage) -> Value {
        self.wrap(&json!([]), &json!(usage))
    }
}
