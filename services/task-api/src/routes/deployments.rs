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
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::once::Once;
use crate::{
    App, Error,
    access::Role,
    deployments::{self, DeploymentRow},
    http::{Caller, Page, PageFilter, Problem, Query, Raw, id, parse, time},
};

/// A deployment to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateDeployment {
    /// What requests name as their model.
    name: Name,
    /// A compiled model.
    model: ModelId,
}

/// A compiled model that is served.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deployment {
    id: String,
    /// What requests name as their model.
    name: String,
    /// The compiled model.
    model: String,
    /// `starting`, `ready`, `failed` or `stopped`.
    state: String,
    endpoint: Option<String>,
    /// Why it is not ready.
    failure: Option<String>,
    created_at: String,
}

impl From<DeploymentRow> for Deployment {
    fn from(row: DeploymentRow) -> Self {
        let created_at = time(row.created_at_ms);
        let DeploymentRow { id, name, model, state, endpoint, failure, .. } = row;
        Self { id, name, model, state, endpoint, failure, created_at }
    }
}

/// A hint only: the inference service looks again by itself.
async fn tell(app: &App) {
    if let Err(error) = app.bus.notify(subject::DEPLOYMENTS_CHANGED).await {
        tracing::warn!(%error, "the inference service could not be told of a change");
    }
}

/// Serves a compiled model.
#[utoipa::path(tag = "deployments", request_body = CreateDeployment, responses((status = 202, body = Deployment), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/deployments")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let once = Once::of(&app, &caller, "deployments", &body.0).await?;
    if let Some(known) = once.known("deployment")? {
        let row = deployments::find(app.store.read(), caller.workspace, known).await?;
        return Ok(HttpResponse::Accepted().json(Deployment::from(row)));
    }
    let form: CreateDeployment = parse(&body.0)?;
    let workspace = caller.workspace;
    let made = app.transaction(move |tx| async move {
        let row = deployments::create(&tx, workspace, &form.name, form.model).await?;
        once.remember(&tx, &row.id).await?;
        Ok(row)
    });
    let row = made.await?;
    tell(&app).await;
    Ok(HttpResponse::Accepted().json(Deployment::from(row)))
}

/// Deployments that are not stopped, newest first.
#[utoipa::path(tag = "deployments", params(PageFilter), responses((status = 200, body = Page<Deployment>)))]
#[get("/api/v1/deployments")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<PageFilter>,
) -> Result<HttpResponse, Error> {
    let (limit, before) = filter.bounds()?;
    let rows = deployments::list(app.store.read(), caller.workspace, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(
        rows,
        limit,
        |row| row.id.clone(),
        |row| Ok(Deployment::from(row)),
    )?))
}

/// A deployment.
#[utoipa::path(tag = "deployments", responses((status = 200, body = Deployment), (status = 404, body = Problem)))]
#[get("/api/v1/deployments/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = deployments::find(app.store.read(), caller.workspace, id(&path, "deployment")?).await?;
    Ok(HttpResponse::Ok().json(Deployment::from(row)))
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
