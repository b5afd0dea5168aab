//! Errors as OpenAI documents them: `{"error": {"message", "type", "param", "code"}}`.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

/// What the client is told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    status: u16,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ApiError {
    /// The request asks for something that cannot be; `param` names the field.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
            kind: "invalid_request_error",
            param: (!param.is_empty()).then(|| param.to_owned()),
            code: None,
        }
    }

    /// Prompt and answer together are longer than the model's context.
    pub fn context_length(limit: usize, prompt: usize, wanted: usize) -> Self {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {} tokens ({prompt} in the \
             messages, {wanted} in the completion). Please reduce the length of the messages or completion.",
            prompt.saturating_add(wanted)
        );
        Self { code: Some("context_length_exceeded"), ..Self::invalid("messages", message) }
    }

    /// No such model is deployed.
    pub fn no_model(name: &str) -> Self {
        let message = format!("The model `{name}` does not exist or is not deployed.");
        Self { status: 404, code: Some("model_not_found"), ..Self::invalid("model", message) }
    }

    /// No such route.
    pub fn no_route(method: &str, path: &str) -> Self {
        Self {
            status: 404,
            code: Some("unknown_url"),
            ..Self::invalid("", format!("Unknown request URL: {method} {path}."))
        }
    }

    /// The body is too large.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self {
            status: 413,
            ..Self::invalid("", format!("The request body is larger than {limit_bytes} bytes."))
        }
    }

    /// Too many requests wait for the model.
    pub fn overloaded() -> Self {
        Self {
            status: 503,
            message: "Too many requests are waiting for this model. Please retry later.".to_owned(),
            kind: "server_error",
            param: None,
            code: Some("overloaded"),
        }
    }

    /// Something of ours failed; the cause is in the service's log only.
    pub fn internal() -> Self {
        Self {
            status: 500,
            message: "The server had an error while processing your request.".to_owned(),
            kind: "server_error",
            param: None,
            code: None,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> serde_json::Value {
        json!({ "error": { "message": self.message, "type": self.kind, "param": self.param, "code": self.code } })
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(self.body())
    }
}
