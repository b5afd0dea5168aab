//! HTTP: the OpenAI-compatible routes, and health.

mod chat;
mod collect;
mod completions;
mod health;
mod models;
mod order;
mod sse;

use actix_web::{HttpRequest, error::JsonPayloadError, web};

use crate::{deployments::Deployments, error::ApiError};

/// Largest request body: a long context of text, many times over.
const BODY_LIMIT_BYTES: usize = 8 << 20;

/// Adds every route, over `deployments`.
pub fn configure(deployments: Deployments) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let json = web::JsonConfig::default()
            .limit(BODY_LIMIT_BYTES)
            .content_type_required(false)
            .error_handler(|error, _| body_error(&error).into());
        config
            .app_data(web::Data::new(deployments))
            .app_data(json)
            .route("/healthz", web::get().to(health::healthz))
            .route("/v1/models", web::get().to(models::list))
            .route("/v1/models/{model:.+}", web::get().to(models::retrieve))
            .route("/v1/chat/completions", web::post().to(chat::create))
            .route("/v1/completions", web::post().to(completions::create))
            .default_service(web::to(unknown));
    }
}

async fn unknown(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::no_route(request.method().as_str(), request.path()))
}

fn body_error(error: &JsonPayloadError) -> ApiError {
    match error {
        JsonPayloadError::Overflow { limit } | JsonPayloadError::OverflowKnownLength { limit, .. } => {
            ApiError::too_large(*limit)
        }
        other => ApiError::invalid("", format!("The request body is not valid: {other}.")),
    }
}
