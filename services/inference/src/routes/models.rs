//! The list of deployed models.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::{
    deployments::{Deployments, Served},
    error::ApiError,
};

fn card(model: &Served) -> Value {
    json!({ "id": model.name, "object": "model", "created": model.created, "owned_by": "anneal" })
}

pub(super) async fn list(deployments: web::Data<Deployments>) -> HttpResponse {
    let cards: Vec<Value> = deployments.list().iter().map(card).collect();
    HttpResponse::Ok().json(json!({ "object": "list", "data": cards }))
}

pub(super) async fn retrieve(
    deployments: web::Data<Deployments>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = deployments.list().into_iter().find(|model| model.name == *name);
    found.map(|model| HttpResponse::Ok().json(card(&model))).ok_or_else(|| ApiError::no_model(&name))
}
