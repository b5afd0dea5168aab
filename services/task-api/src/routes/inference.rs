//! `/v1/…`: OpenAI-compatible requests, passed on to the inference service. Errors have OpenAI's shape.

use actix_web::{HttpResponse, get, http::StatusCode, post, web::Data};
use serde_json::{Value, json};

use super::renamed::renamed;
use crate::{
    App, Error, deployments,
    http::{Caller, Raw},
};

/// Chat with a deployed model; `model` is the deployment's name.
#[utoipa::path(tag = "inference", responses((status = 200)))]
#[post("/v1/chat/completions")]
pub(crate) async fn chat(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    pass_on(&app, &caller, "/v1/chat/completions", body).await
}

/// Complete a text with a deployed model.
#[utoipa::path(tag = "inference", responses((status = 200)))]
#[post("/v1/completions")]
pub(crate) async fn completions(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    pass_on(&app, &caller, "/v1/completions", body).await
}

/// Deployed models.
#[utoipa::path(tag = "inference", responses((status = 200)))]
#[get("/v1/models")]
pub(crate) async fn models(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let rows = deployments::list(app.store.read(), caller.workspace).await?;
    let data: Vec<Value> = rows
        .into_iter()
        .filter(|row| row.state == "ready")
        .map(|row| {
            json!({ "id": row.name, "object": "model", "created": row.created_at_ms / 1000, "owned_by": row.workspace })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": data })))
}

fn refuse(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let error =
        json!({ "message": message, "type": "invalid_request_error", "param": "model", "code": code });
    HttpResponse::build(status).json(json!({ "error": error }))
}

async fn pass_on(app: &App, caller: &Caller, path: &str, body: Raw) -> Result<HttpResponse, Error> {
    let Ok(Value::Object(mut request)) = serde_json::from_slice::<Value>(&body.0) else {
        return Ok(refuse(StatusCode::BAD_REQUEST, "invalid_json", "the body must be a JSON object"));
    };
    let Some(name) = request.get("model").and_then(Value::as_str).map(str::to_owned) else {
        return Ok(refuse(StatusCode::BAD_REQUEST, "missing_model", "name a deployment as `model`"));
    };
    let Some(deployment) = deployments::named(app.store.read(), caller.workspace, &name).await? else {
        return Ok(refuse(
            StatusCode::NOT_FOUND,
            "model_not_found",
            "no deployment of this workspace has this name",
        ));
    };
    if deployment.state != "ready" {
        let why = deployment.failure.unwrap_or_else(|| format!("the deployment is {}", deployment.state));
        return Ok(refuse(StatusCode::SERVICE_UNAVAILABLE, "not_ready", &why));
    }
    let served = deployments::served_name(caller.workspace, &name);
    request["model"] = json!(served);
    let url = format!("{}{path}", app.config.inference_url.trim_end_matches('/'));
    let sent = app
        .http
        .post(url)
        .header("Content-Type", "application/json")
        .header("traceparent", caller.trace.to_string())
        .body(Value::Object(request).to_string())
        .send()
        .await;
    let answer = sent.map_err(|error| {
        tracing::warn!(%error, "the inference service does not answer");
        Error::Unavailable("the inference service does not answer now: try again".to_owned())
    })?;
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let kind = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let mut response = HttpResponse::build(status);
    response.content_type(kind).insert_header(("Cache-Control", "no-store"));
    let bytes = Box::pin(answer.bytes_stream());
    Ok(response.streaming(Box::pin(renamed(bytes, &served, &name))))
}
