//! API keys of a workspace.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use anneal_domain::{
    Name,
    id::{ApiKeyId, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::once::Once;
use crate::{
    App, Error,
    access::{KeyRow, Role, key_row},
    http::{Caller, Page, PageFilter, Problem, Query, Raw, id, parse, time},
};

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddKey {
    name: Name,
    role: Role,
    /// Whose it is: it never does more than this user may, and goes with the user.
    user: Option<UserId>,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    id: String,
    name: String,
    role: String,
    user: Option<String>,
    created_at: String,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeKey {
    #[serde(flatten)]
    about: ApiKey,
    /// Its text, shown once: null when the request is repeated.
    key: Option<String>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        let created_at = time(row.created_at_ms);
        Self { id: row.id, name: row.name, role: row.role, user: row.user_id, created_at }
    }
}

/// Keys of the workspace that open something, newest first, without their secrets.
#[utoipa::path(tag = "access", params(PageFilter), responses((status = 200, body = Page<ApiKey>), (status = 403, body = Problem)))]
#[get("/api/v1/api-keys")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<PageFilter>,
) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let (limit, before) = filter.bounds()?;
    let rows = key_row::list(app.store.read(), caller.workspace, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| Ok(ApiKey::from(row)))?))
}

/// Makes a key; its text is shown once.
#[utoipa::path(tag = "access", request_body = AddKey,
    responses((status = 201, body = MadeKey), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/api-keys")]
pub(crate) async fn add(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Admin)?;
    let workspace = caller.workspace;
    let once = Once::of(&app, &caller, "api-keys", &body.0).await?;
    if let Some(known) = once.known("API key")? {
        let row = key_row::find(app.store.read(), workspace, known).await?;
        return Ok(HttpResponse::Created().json(MadeKey { about: row.into(), key: None }));
    }
    let form: AddKey = parse(&body.0)?;
    let made = app.transaction(move |tx| async move {
        let key = key_row::add(&tx, workspace, &form.name, form.role, form.user).await?;
        once.remember(&tx, &key.id.to_string()).await?;
        Ok((key_row::find(&*tx, workspace, key.id).await?, key))
    });
    let (row, key) = made.await?;
    Ok(HttpResponse::Created().json(MadeKey { about: row.into(), key: Some(key.text) }))
}

/// Revokes a key: from the next request on it opens nothing.
#[utoipa::path(tag = "access", responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/api-keys/{id}")]
pub(crate) async fn revoke(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (key, workspace): (ApiKeyId, _) = (id(&path, "API key")?, caller.workspace);
    caller.need(Role::Admin)?;
    app.transaction(move |tx| async move { key_row::revoke(&tx, workspace, key).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
