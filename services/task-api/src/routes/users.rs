//! Users of a workspace.

use actix_web::{
    HttpResponse, delete, get, patch, post,
    web::{Data, Path},
};
use anneal_domain::{Name, id::UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::once::Once;
use crate::{
    App, Error,
    access::{Email, Role, UserRow, user},
    http::{Caller, Page, PageFilter, Problem, Query, Raw, id, parse, time},
};

/// A user to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddUser {
    #[schema(value_type = String, format = "email")]
    email: Email,
    name: Name,
    /// The most that the user's keys may do.
    role: Role,
}

/// What changes of a user; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeUser {
    name: Option<Name>,
    role: Option<Role>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: String,
    email: String,
    name: String,
    role: Role,
    created_at: String,
}

fn view(row: UserRow) -> Result<User, Error> {
    let (role, created_at) = (row.role()?, time(row.created_at_ms));
    Ok(User { id: row.id, email: row.email, name: row.name, role, created_at })
}

/// Users of the workspace, newest first.
#[utoipa::path(tag = "access", params(PageFilter), responses((status = 200, body = Page<User>)))]
#[get("/api/v1/users")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<PageFilter>,
) -> Result<HttpResponse, Error> {
    let (limit, before) = filter.bounds()?;
    let rows = user::list(app.store.read(), caller.workspace, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), view)?))
}

/// Adds a user.
#[utoipa::path(tag = "access", request_body = AddUser,
    responses((status = 201, body = User), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/users")]
pub(crate) async fn add(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let workspace = caller.workspace;
    let once = Once::of(&app, &caller, "users", &body.0).await?;
    if let Some(known) = once.known("user")? {
        let row = user::find(app.store.read(), workspace, known).await?;
        return Ok(HttpResponse::Created().json(view(row)?));
    }
    let form: AddUser = parse(&body.0)?;
    let added = app.transaction(move |tx| async move {
        let row = user::add(&tx, workspace, &form.email, &form.name, form.role).await?;
        once.remember(&tx, &row.id).await?;
        Ok(row)
    });
    Ok(HttpResponse::Created().json(view(added.await?)?))
}

/// Changes a user's name or role. The user's keys do no more than the role says from the next request on.
#[utoipa::path(tag = "access", request_body = ChangeUser,
    responses((status = 200, body = User), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[patch("/api/v1/users/{id}")]
pub(crate) async fn change(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    body: Raw,
) -> Result<HttpResponse, Error> {
    let (user, workspace): (UserId, _) = (id(&path, "user")?, caller.workspace);
    user::find(app.store.read(), workspace, user).await?;
    caller.need(Role::Admin)?;
    let form: ChangeUser = parse(&body.0)?;
    let changed = app.transaction(move |tx| async move {
        user::change(&tx, workspace, user, form.name.as_ref(), form.role).await
    });
    Ok(HttpResponse::Ok().json(view(changed.await?)?))
}

/// Removes a user and revokes the user's keys.
#[utoipa::path(tag = "access", responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/users/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (user, workspace): (UserId, _) = (id(&path, "user")?, caller.workspace);
    caller.need(Role::Admin)?;
    app.transaction(move |tx| async move { user::remove(&tx, workspace, user).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
