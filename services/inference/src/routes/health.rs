//! Liveness.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::deployments::Deployments;

pub(super) async fn healthz(deployments: web::Data<Deployments>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok", "models": deployments.list().len() }))
}
