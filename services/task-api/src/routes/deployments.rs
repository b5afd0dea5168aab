//! Deployments of compiled models.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use anneal_contracts::subject;
use anneal_domain::{
    Name,
    id::{DeploymentId, ModelId},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    App, Error,
    access::Role,
    deployments::{self, DeploymentRow},
    http::{Caller, Page, Problem, Raw, id, parse, time},
    tasks::{self, IdempotencyKey},
};

/// A deployment to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateDeployment {
    /// What requests name as their model.
    #[schema(value_type = String)]
    name: Name,
    /// A compiled model.
    #[schema(value_type = String)]
    model: ModelId,
}

fn view(row: &DeploymentRow) -> Value {
    json!({ "id": row.id, "name": row.name, "model": row.model, "state": row.state, "endpoint": row.endpoint,
            "failure": row.failure, "created_at": time(row.created_at_ms) })
}

/// A hint only: the inference service looks again by itself.
async fn tell(app: &App) {
    if let Err(error) = app.bus.notify(subject::DEPLOYMENTS_CHANGED).await {
        tracing::warn!(%error, "the inference service could not be told of a change");
    }
}

/// Serves a compiled model.
#[utoipa::path(tag = "deployments", request_body = CreateDeployment, responses((status = 202), (status = 422, body = Problem)))]
#[post("/api/v1/deployments")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let key =
        IdempotencyKey::new(caller.workspace, caller.idempotency_key.as_deref(), "deployments", &body.0)?;
    if let Some(known) = tasks::find_idempotent(app.store.read(), key.as_ref()).await? {
        let row = deployments::find(app.store.read(), caller.workspace, id(&known, "deployment")?).await?;
        return Ok(HttpResponse::Accepted().json(view(&row)));
    }
    let form: CreateDeployment = parse(&body.0)?;
    let workspace = caller.workspace;
    let made = app.transaction(move |tx| async move {
        let row = deployments::create(&tx, workspace, &form.name, form.model).await?;
        if let Some(key) = &key {
            tasks::remember(&tx, key, &row.id).await?;
        }
        Ok(row)
    });
    let row = made.await?;
    tell(&app).await;
    Ok(HttpResponse::Accepted().json(view(&row)))
}

/// Deployments that are not stopped.
#[utoipa::path(tag = "deployments", responses((status = 200)))]
#[get("/api/v1/deployments")]
pub(crate) async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let rows = deployments::list(app.store.read(), caller.workspace).await?;
    Ok(HttpResponse::Ok().json(Page::whole(rows.iter().map(view).collect())))
}

/// A deployment.
#[utoipa::path(tag = "deployments", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/deployments/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = deployments::find(app.store.read(), caller.workspace, id(&path, "deployment")?).await?;
    Ok(HttpResponse::Ok().json(view(&row)))
}

/// Stops serving.
#[utoipa::path(tag = "deployments", responses((status = 204), (status = 404, body = Problem)))]
#[delete("/api/v1/deployments/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let deployment: DeploymentId = id(&path, "deployment")?;
    let workspace = caller.workspace;
    deployments::find(app.store.read(), workspace, deployment).await?;
    caller.need(Role::Member)?;
    app.transaction(move |tx| async move { deployments::stop(&tx, workspace, deployment).await }).await?;
    tell(&app).await;
    Ok(HttpResponse::NoContent().finish())
}
