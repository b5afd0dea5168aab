//! Workspaces: the caller's own, and all of them for those who run the platform.

use actix_web::{
    HttpResponse, delete, get, patch, post,
    web::{Data, Path},
};
use anneal_domain::{Name, id::WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::once::Once;
use crate::{
    App, Error,
    access::{Role, WorkspaceRow, workspace},
    http::{Caller, Page, PageFilter, Problem, Query, Raw, id, parse, time},
};

/// A workspace to create, or its new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceForm {
    name: Name,
}

/// A workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workspace {
    id: String,
    name: String,
    created_at: String,
    /// Of the caller's own: what the caller may do in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

/// A new workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeWorkspace {
    #[serde(flatten)]
    about: Workspace,
    /// Its first admin's key, shown once: null when the request is repeated.
    admin_key: Option<String>,
}

impl From<WorkspaceRow> for Workspace {
    fn from(row: WorkspaceRow) -> Self {
        let created_at = time(row.created_at_ms);
        Self { id: row.id, name: row.name, created_at, role: None }
    }
}

async fn found(app: &App, id: WorkspaceId) -> Result<WorkspaceRow, Error> {
    workspace::find(app.store.read(), id).await?.ok_or_else(|| Error::not_found("workspace"))
}

/// The caller's workspace.
#[utoipa::path(tag = "access", responses((status = 200, body = Workspace)))]
#[get("/api/v1/workspace")]
pub(crate) async fn own(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let row = found(&app, caller.workspace).await?;
    Ok(HttpResponse::Ok().json(Workspace { role: Some(caller.role), ..row.into() }))
}

/// Workspaces, newest first: all of them for admins of the first workspace, for others their own.
#[utoipa::path(tag = "access", params(PageFilter), responses((status = 200, body = Page<Workspace>)))]
#[get("/api/v1/workspaces")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<PageFilter>,
) -> Result<HttpResponse, Error> {
    let (limit, before) = filter.bounds()?;
    let only = (!caller.is_operator()).then_some(caller.workspace);
    let rows = workspace::list(app.store.read(), only, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| Ok(Workspace::from(row)))?))
}

/// Makes a workspace; its first admin's key is shown once. Only admins of the first workspace may.
#[utoipa::path(tag = "access", request_body = WorkspaceForm,
    responses((status = 201, body = MadeWorkspace), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/workspaces")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need_operator()?;
    let once = Once::of(&app, &caller, "workspaces", &body.0).await?;
    if let Some(known) = once.known("workspace")? {
        let row = found(&app, known).await?;
        return Ok(HttpResponse::Created().json(MadeWorkspace { about: row.into(), admin_key: None }));
    }
    let form: WorkspaceForm = parse(&body.0)?;
    let made = app.transaction(move |tx| async move {
        let (row, key) = workspace::add(&tx, &form.name).await?;
        once.remember(&tx, &row.id).await?;
        Ok((row, key))
    });
    let (row, key) = made.await?;
    Ok(HttpResponse::Created().json(MadeWorkspace { about: row.into(), admin_key: Some(key.text) }))
}

/// The workspace of a path, which is the caller's own or, for those who run the platform, any.
fn reached(caller: &Caller, path: &str) -> Result<WorkspaceId, Error> {
    let workspace = id(path, "workspace")?;
    if workspace == caller.workspace || caller.is_operator() {
        Ok(workspace)
    } else {
        Err(Error::not_found("workspace"))
    }
}

/// Gives a workspace another name.
#[utoipa::path(tag = "access", request_body = WorkspaceForm,
    responses((status = 200, body = Workspace), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[patch("/api/v1/workspaces/{id}")]
pub(crate) async fn rename(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    body: Raw,
) -> Result<HttpResponse, Error> {
    let workspace = reached(&caller, &path)?;
    caller.need(Role::Admin)?;
    let form: WorkspaceForm = parse(&body.0)?;
    let renamed =
        app.transaction(move |tx| async move { workspace::rename(&tx, workspace, &form.name).await });
    Ok(HttpResponse::Ok().json(Workspace::from(renamed.await?)))
}

/// Removes a workspace that holds nothing but its users and keys. Only admins of the first workspace may.
#[utoipa::path(tag = "access", responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/workspaces/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let workspace = reached(&caller, &path)?;
    caller.need_operator()?;
    app.transaction(move |tx| async move { workspace::remove(&tx, workspace).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
