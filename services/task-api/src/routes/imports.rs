//! Importing models and datasets from a hub.

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path},
};
use anneal_domain::id::ImportId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::once::Once;
use crate::{
    App, Error,
    access::Role,
    http::{Caller, Page, Problem, Query, Raw, cursor_of, id, limit_of, parse, time},
    imports::{self, HubImport, ImportKind, ImportRow},
    store::from_json,
};

/// An import.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Import {
    id: String,
    #[schema(value_type = HubImport)]
    request: Value,
    /// `waiting`, `running`, `done` or `failed`.
    state: String,
    /// The commit that is imported, once the hub was asked.
    commit: Option<String>,
    done_bytes: i64,
    total_bytes: i64,
    /// The model or the dataset, once it is there.
    resource: Option<String>,
    /// Why it failed; while it waits, why it is tried again.
    failure: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

fn view(row: &ImportRow) -> Result<Import, Error> {
    Ok(Import {
        id: row.id.clone(),
        request: from_json(&row.request, "import")?,
        state: row.state.clone(),
        commit: row.commit_id.clone(),
        done_bytes: row.done_bytes,
        total_bytes: row.total_bytes,
        resource: row.resource.clone().filter(|_| row.state == "done"),
        failure: row.failure.clone(),
        created_at: time(row.created_at_ms),
        finished_at: row.finished_at_ms.map(time),
    })
}

/// Imports a model or a dataset from the hub: its files are fetched and checked as uploads are, and the import tells how far
/// that is.
#[utoipa::path(tag = "imports", request_body = HubImport,
    responses((status = 202, body = Import), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/imports")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let once = Once::of(&app, &caller, "imports", &body.0).await?;
    if let Some(known) = once.known("import")? {
        let row = imports::find(app.store.read(), caller.workspace, known).await?;
        return Ok(HttpResponse::Accepted().json(view(&row)?));
    }
    let request: HubImport = parse(&body.0)?;
    if request.builtin {
        caller.need_operator()?;
    }
    let wrong = request.validate();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    if app.config.hub.endpoint.is_empty() {
        return Err(anneal_hub::HubError::NotConfigured.into());
    }
    let workspace = caller.workspace;
    let row = app
        .transaction(move |tx| async move {
            let id = ImportId::new();
            once.remember(&tx, &id.to_string()).await?;
            imports::insert(&tx, id, workspace, &request).await
        })
        .await?;
    Ok(HttpResponse::Accepted().json(view(&row)?))
}

/// Which imports are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportFilter {
    kind: Option<ImportKind>,
    /// 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Imports, newest first.
#[utoipa::path(tag = "imports", params(ImportFilter), responses((status = 200, body = Page<Import>)))]
#[get("/api/v1/imports")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<ImportFilter>,
) -> Result<HttpResponse, Error> {
    let (limit, before) = (limit_of(filter.limit)?, cursor_of(filter.cursor.as_deref())?);
    let rows = imports::list(app.store.read(), caller.workspace, filter.kind, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| view(&row))?))
}

/// An import.
#[utoipa::path(tag = "imports", responses((status = 200, body = Import), (status = 404, body = Problem)))]
#[get("/api/v1/imports/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = imports::find(app.store.read(), caller.workspace, id(&path, "import")?).await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}
