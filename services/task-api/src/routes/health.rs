//! Whether the service lives, and whether it can work.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, Error, http::Problem};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` or `ready`.
    status: &'static str,
}

/// The process answers.
#[utoipa::path(tag = "health", security(()), responses((status = 200, body = Health)))]
#[get("/healthz")]
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// The database and the broker answer.
#[utoipa::path(tag = "health", security(()), responses((status = 200, body = Health), (status = 503, body = Problem)))]
#[get("/readyz")]
pub(crate) async fn ready(app: Data<App>) -> Result<HttpResponse, Error> {
    app.store.now_ms().await?;
    if !app.bus.is_connected() {
        return Err(Error::Unavailable("the broker is away".to_owned()));
    }
    Ok(HttpResponse::Ok().json(Health { status: "ready" }))
}
