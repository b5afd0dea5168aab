//! `/v1/…`: OpenAI-compatible requests, passed on to the inference service. Errors have OpenAI's shape.

use actix_web::{
    HttpResponse, get,
    http::StatusCode,
    post,
    web::{Data, Path},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::renamed::renamed;
use crate::{
    App, Error,
    deployments::{self, DeploymentRow},
    http::{Caller, LargeRaw, OpenAiProblem, refusal},
};

/// A conversation to go on with. Other fields that OpenAI documents are passed on as they are.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what the inference service reads")]
pub(crate) struct ChatRequest {
    /// A deployment's name.
    model: String,
    /// `{"role": "system" | "user" | "assistant", "content": "…"}`, oldest first.
    messages: Vec<Value>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    /// Answer piece by piece, as server-sent events.
    stream: Option<bool>,
}

/// A text to go on with. Other fields that OpenAI documents are passed on as they are.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what the inference service reads")]
pub(crate) struct CompletionRequest {
    /// A deployment's name.
    model: String,
    /// A text, texts, or token ids.
    prompt: Value,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    /// How many of the likeliest tokens are told with each token.
    logprobs: Option<u32>,
    /// Begin the answer with the prompt.
    echo: Option<bool>,
    /// Answer piece by piece, as server-sent events.
    stream: Option<bool>,
}

/// A deployed model, as OpenAI's clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiModel {
    /// The deployment's name.
    id: String,
    /// `model`.
    object: &'static str,
    /// Unix seconds.
    created: i64,
    /// The workspace.
    owned_by: String,
}

/// Deployed models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiModels {
    /// `list`.
    object: &'static str,
    data: Vec<OpenAiModel>,
}

impl From<DeploymentRow> for OpenAiModel {
    fn from(row: DeploymentRow) -> Self {
        Self { id: row.name, object: "model", created: row.created_at_ms / 1000, owned_by: row.workspace }
    }
}

/// Chat with a deployed model; `model` is the deployment's name.
#[utoipa::path(tag = "inference", request_body = ChatRequest,
    responses((status = 200, body = Object), (status = 404, body = OpenAiProblem), (status = 503, body = OpenAiProblem)))]
#[post("/v1/chat/completions")]
pub(crate) async fn chat(app: Data<App>, caller: Caller, body: LargeRaw) -> Result<HttpResponse, Error> {
    pass_on(&app, &caller, "/v1/chat/completions", body).await
}

/// Complete a text with a deployed model.
#[utoipa::path(tag = "inference", request_body = CompletionRequest,
    responses((status = 200, body = Object), (status = 404, body = OpenAiProblem), (status = 503, body = OpenAiProblem)))]
#[post("/v1/completions")]
pub(crate) async fn completions(
    app: Data<App>,
    caller: Caller,
    body: LargeRaw,
) -> Result<HttpResponse, Error> {
    pass_on(&app, &caller, "/v1/completions", body).await
}

/// Deployed models.
#[utoipa::path(tag = "inference", responses((status = 200, body = OpenAiModels)))]
#[get("/v1/models")]
pub(crate) async fn models(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let rows = deployments::ready(app.store.read(), caller.workspace).await?;
    let data = rows.into_iter().map(OpenAiModel::from).collect();
    Ok(HttpResponse::Ok().json(OpenAiModels { object: "list", data }))
}

/// A deployed model.
#[utoipa::path(tag = "inference", responses((status = 200, body = OpenAiModel), (status = 404, body = OpenAiProblem)))]
#[get("/v1/models/{model:.*}")]
pub(crate) async fn model(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    match deployments::named(app.store.read(), caller.workspace, &path).await? {
        Some(row) if row.state == "ready" => Ok(HttpResponse::Ok().json(OpenAiModel::from(row))),
        _ => Ok(refuse(StatusCode::NOT_FOUND, "model_not_found", "no model of this name answers here")),
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    refusal(status, code, Some("model"), message)
}

async fn pass_on(app: &App, caller: &Caller, path: &str, body: LargeRaw) -> Result<HttpResponse, Error> {
    let Ok(Value::Object(mut request)) = serde_json::from_slice::<Value>(&body.0) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_json", None, "the body must be a JSON object"));
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
