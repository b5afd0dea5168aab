//! Errors as RFC 9457 problem JSON. Internals are logged, never shown.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use anneal_bus::RequestError;
use anneal_datasets::RowError;
use anneal_domain::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Error;

/// A problem, as RFC 9457 describes it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem: `urn:anneal:problem:` and a stable code.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong and what to do.
    detail: String,
    /// Every wrong field, or row.
    errors: Vec<ProblemPlace>,
    /// With rows: how many cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid_count: Option<u64>,
}

/// One place of a request that is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemPlace {
    /// The file of an upload of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The row of an uploaded file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The field, such as `spec.lora.rank`; of a row, its column.
    field: Option<String>,
    /// What is wrong and what to do.
    message: String,
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::Artifacts(anneal_artifacts::ArtifactError::NotFound(_)) => {
                StatusCode::NOT_FOUND
            }
            Self::Conflict(_) | Self::Fenced => StatusCode::CONFLICT,
            Self::Invalid(_) | Self::InvalidRows { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::InsufficientBalance(_) => StatusCode::PAYMENT_REQUIRED,
            Self::Request(RequestError::Refused(refusal)) => match refusal.code.as_str() {
                "not_found" => StatusCode::NOT_FOUND,
                "insufficient_balance" => StatusCode::PAYMENT_REQUIRED,
                "invalid" | "malformed" => StatusCode::UNPROCESSABLE_ENTITY,
                _ if refusal.retryable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::Store(_) | Self::Artifacts(_) | Self::Request(_) | Self::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Stored(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        if status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let problem = Problem {
            kind: format!("urn:anneal:problem:{}", self.code()),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail(self),
            errors: errors(self),
            invalid_count: match self {
                Self::InvalidRows { invalid_count, .. } => Some(*invalid_count),
                _ => None,
            },
        };
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("Retry-After", "2"));
        }
        response.body(serde_json::to_vec(&problem).expect("a problem of plain text is always JSON"))
    }
}

pub(super) fn detail(error: &Error) -> String {
    match error {
        Error::Store(_) => "the database does not answer now: try again".to_owned(),
        Error::Stored(_) => "something stored cannot be read: this is our fault, and logged".to_owned(),
        Error::Artifacts(anneal_artifacts::ArtifactError::NotFound(_)) => "there is no such file".to_owned(),
        Error::Artifacts(_) => "the object store does not answer now: try again".to_owned(),
        Error::Request(RequestError::Refused(refusal)) => refusal.message.clone(),
        Error::Request(_) => "a service behind the API does not answer now: try again".to_owned(),
        other => other.to_string(),
    }
}

fn errors(error: &Error) -> Vec<ProblemPlace> {
    match error {
        Error::Invalid(fields) => {
            let place = |wrong: &FieldError| ProblemPlace {
                file: None,
                line: None,
                field: Some(wrong.field.clone()),
                message: wrong.message.clone(),
            };
            fields.iter().map(place).collect()
        }
        Error::InvalidRows { errors, .. } => {
            let place = |wrong: &RowError| ProblemPlace {
                file: wrong.file.clone(),
                line: Some(wrong.line),
                field: wrong.field.clone(),
                message: wrong.reason.clone(),
            };
            errors.iter().map(place).collect()
        }
        _ => Vec::new(),
    }
}
