//! Errors below `/v1` have the shape that OpenAI's API documents: `{"error": {"message", "type", "param", "code"}}`.

use actix_web::{
    HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem;
use crate::Error;

/// What went wrong, as OpenAI's clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiProblem {
    error: OpenAiError,
}

#[derive(Debug, Serialize, ToSchema)]
struct OpenAiError {
    /// What is wrong and what to do.
    message: String,
    /// `invalid_request_error` or `server_error`.
    r#type: &'static str,
    /// The field at fault.
    param: Option<String>,
    /// A stable code for programs.
    code: String,
}

/// An error's answer in OpenAI's shape.
pub(crate) fn refusal(status: StatusCode, code: &str, param: Option<&str>, message: &str) -> HttpResponse {
    let r#type = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let error = OpenAiError {
        message: message.to_owned(),
        r#type,
        param: param.map(str::to_owned),
        code: code.to_owned(),
    };
    HttpResponse::build(status).json(OpenAiProblem { error })
}

/// Gives every problem below `/v1` the shape that OpenAI's clients expect; all else passes as it is.
pub(super) async fn reshape(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_openai = request.path().starts_with("/v1/");
    let answer = next.call(request).await?;
    let error = answer.response().error().filter(|_| is_openai).and_then(|error| error.as_error::<Error>());
    let Some(mut shaped) = error.map(of_error) else { return Ok(answer.map_into_boxed_body()) };
    for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
        if let Some(value) = answer.headers().get(&name).cloned() {
            shaped.headers_mut().insert(name, value);
        }
    }
    Ok(answer.into_response(shaped))
}

fn of_error(error: &Error) -> HttpResponse {
    let code = match error {
        Error::Unauthorized => "invalid_api_key",
        Error::TooLarge(_) => "request_too_large",
        other => other.code(),
    };
    let field = match error {
        Error::Invalid(fields) => fields.first().map(|wrong| wrong.field.as_str()),
        _ => None,
    };
    refusal(error.status_code(), code, field, &problem::detail(error))
}
