//! Workspaces, users and API keys.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use anneal_domain::{
    Name,
    id::{ApiKeyId, UserId},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    App, Error,
    access::{self, KeyRow, Role, UserRow, WorkspaceRow},
    http::{Caller, Page, Problem, Raw, id, parse, time},
};

/// A workspace to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWorkspace {
    #[schema(value_type = String)]
    name: Name,
}

/// A user to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddUser {
    email: String,
    #[schema(value_type = String)]
    name: Name,
    role: Role,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddKey {
    #[schema(value_type = String)]
    name: Name,
    role: Role,
}

fn workspace_view(row: &WorkspaceRow) -> Value {
    json!({ "id": row.id, "name": row.name, "created_at": time(row.created_at_ms) })
}

fn user_view(row: &UserRow) -> Value {
    json!({ "id": row.id, "email": row.email, "name": row.name, "role": row.role, "created_at": time(row.created_at_ms) })
}

fn key_view(row: &KeyRow) -> Value {
    json!({ "id": row.id, "name": row.name, "role": row.role, "created_at": time(row.created_at_ms) })
}

/// The caller's workspace.
#[utoipa::path(tag = "access", responses((status = 200)))]
#[get("/api/v1/workspace")]
pub(crate) async fn show_workspace(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let row =
        access::workspace(app.store.read(), caller.workspace).await?.ok_or(Error::stored("workspace"))?;
    let mut view = workspace_view(&row);
    view["role"] = json!(caller.role);
    Ok(HttpResponse::Ok().json(view))
}

/// Makes a workspace; its first admin's key is shown once. Only admins of the first workspace may.
#[utoipa::path(tag = "access", request_body = CreateWorkspace, responses((status = 201), (status = 403, body = Problem)))]
#[post("/api/v1/workspaces")]
pub(crate) async fn create_workspace(
    app: Data<App>,
    caller: Caller,
    body: Raw,
) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    if caller.workspace != access::DEFAULT_WORKSPACE {
        return Err(Error::Forbidden("admin of the first workspace"));
    }
    let form: CreateWorkspace = parse(&body.0)?;
    let (row, key) =
        app.transaction(move |tx| async move { access::add_workspace(&tx, &form.name).await }).await?;
    let mut view = workspace_view(&row);
    view["admin_key"] = json!(key.text);
    Ok(HttpResponse::Created().json(view))
}

/// Users of the workspace.
#[utoipa::path(tag = "access", responses((status = 200)))]
#[get("/api/v1/users")]
pub(crate) async fn users(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    let rows = access::users(app.store.read(), caller.workspace).await?;
    Ok(HttpResponse::Ok().json(Page::whole(rows.iter().map(user_view).collect())))
}

/// Adds a user.
#[utoipa::path(tag = "access", request_body = AddUser, responses((status = 201), (status = 422, body = Problem)))]
#[post("/api/v1/users")]
pub(crate) async fn add_user(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let form: AddUser = parse(&body.0)?;
    let plain = form.email.len() <= 254 && form.email.bytes().all(|b| b.is_ascii_graphic());
    if !plain
        || form.email.matches('@').count() != 1
        || form.email.starts_with('@')
        || form.email.ends_with('@')
    {
        return Err(Error::field("email", "must be an e-mail address"));
    }
    let workspace = caller.workspace;
    let row = app
        .transaction(move |tx| async move {
            access::add_user(&tx, workspace, &form.email, &form.name, form.role).await
        })
        .await?;
    Ok(HttpResponse::Created().json(user_view(&row)))
}

/// Removes a user.
#[utoipa::path(tag = "access", responses((status = 204), (status = 404, body = Problem)))]
#[delete("/api/v1/users/{id}")]
pub(crate) async fn remove_user(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let user: UserId = id(&path, "user")?;
    caller.need(Role::Admin)?;
    let workspace = caller.workspace;
    app.transaction(move |tx| async move { access::remove_user(&tx, workspace, user).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Keys of the workspace, without their secrets.
#[utoipa::path(tag = "access", responses((status = 200)))]
#[get("/api/v1/api-keys")]
pub(crate) async fn keys(app: Data<App>, caller: Caller) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let rows = access::keys(app.store.read(), caller.workspace).await?;
    Ok(HttpResponse::Ok().json(Page::whole(rows.iter().map(key_view).collect())))
}

/// Makes a key; its text is shown once.
#[utoipa::path(tag = "access", request_body = AddKey, responses((status = 201), (status = 422, body = Problem)))]
#[post("/api/v1/api-keys")]
pub(crate) async fn add_key(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let form: AddKey = parse(&body.0)?;
    let (workspace, name, role) = (caller.workspace, form.name.to_string(), form.role);
    let key = app
        .transaction(move |tx| async move { access::add_key(&tx, workspace, &form.name, role).await })
        .await?;
    Ok(HttpResponse::Created().json(json!({ "id": key.id, "name": name, "role": role, "key": key.text })))
}

/// Revokes a key: from the next request on it opens nothing.
#[utoipa::path(tag = "access", responses((status = 204), (status = 404, body = Problem)))]
#[delete("/api/v1/api-keys/{id}")]
pub(crate) async fn revoke_key(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let key: ApiKeyId = id(&path, "API key")?;
    caller.need(Role::Admin)?;
    let workspace = caller.workspace;
    app.transaction(move |tx| async move { access::revoke_key(&tx, workspace, key).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
