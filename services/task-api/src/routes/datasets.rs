//! Listing, showing, previewing and deleting datasets.

use actix_web::{
    HttpResponse, delete, get,
    web::{Data, Path, Query},
};
use anneal_domain::id::DatasetId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::{
    App, Error,
    access::Role,
    datasets::{self, DatasetRow},
    http::{Caller, Page, Problem, id, limit_of, time},
    store::from_json,
};

/// Characters that one token has in English text, about: what an estimate divides by.
const CHARACTERS_PER_TOKEN: i64 = 4;

pub(super) fn view(row: &DatasetRow) -> Result<Value, Error> {
    let mean = row.characters as f64 / (row.total_rows - row.invalid_rows).max(1) as f64;
    Ok(json!({
        "id": row.id, "name": row.name, "kind": row.kind, "format": row.format, "layout": row.layout,
        "evidence": row.evidence, "version": row.version, "rows": row.total_rows,
        "invalid_rows": row.invalid_rows, "size_bytes": row.size_bytes,
        "statistics": { "characters": row.characters, "mean_row_characters": mean,
                        "tokens_by_four_characters": row.characters / CHARACTERS_PER_TOKEN },
        "files": row.files()?, "sha256": row.sha256, "created_at": time(row.created_at_ms),
        "builtin": row.builtin != 0, "errors": from_json::<Value>(&row.errors, "row errors")?,
    }))
}

/// Which datasets are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetFilter {
    kind: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Datasets, newest first.
#[utoipa::path(tag = "datasets", params(DatasetFilter), responses((status = 200)))]
#[get("/api/v1/datasets")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<DatasetFilter>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(filter.limit)?;
    let (kind, cursor) = (filter.kind.as_deref(), filter.cursor.as_deref());
    let rows = datasets::list(app.store.read(), caller.workspace, kind, cursor, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| view(&row))?))
}

/// Which version is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionChoice {
    /// A version; the newest when absent.
    version: Option<i64>,
}

/// A dataset.
#[utoipa::path(tag = "datasets", params(VersionChoice), responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}")]
pub(crate) async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    choice: Query<VersionChoice>,
) -> Result<HttpResponse, Error> {
    let dataset = id(&path, "dataset")?;
    let row = datasets::version(app.store.read(), caller.workspace, dataset, choice.version).await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}

/// Which versions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionFilter {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Versions of a dataset, newest first.
#[utoipa::path(tag = "datasets", params(VersionFilter), responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}/versions")]
pub(crate) async fn versions(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<VersionFilter>,
) -> Result<HttpResponse, Error> {
    let (dataset, limit) = (id(&path, "dataset")?, limit_of(filter.limit)?);
    let before = filter.cursor.as_deref().map(str::parse);
    let before = before.transpose().map_err(|_| Error::field("cursor", "give `next_cursor` of a page"))?;
    let rows = datasets::versions(app.store.read(), caller.workspace, dataset, before, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.version.to_string(), |row| view(&row))?))
}

/// How much of a preview is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewOptions {
    /// 1 to 100; the first 20 rows are kept.
    limit: Option<u32>,
    /// A version; the newest when absent.
    version: Option<i64>,
}

/// The first rows, as they are understood.
#[utoipa::path(tag = "datasets", params(PreviewOptions), responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}/preview")]
pub(crate) async fn preview(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    options: Query<PreviewOptions>,
) -> Result<HttpResponse, Error> {
    let dataset = id(&path, "dataset")?;
    let row = datasets::version(app.store.read(), caller.workspace, dataset, options.version).await?;
    let limit = limit_of(options.limit)?;
    let mut rows: Vec<Value> = from_json(&row.preview, "preview")?;
    rows.truncate(limit as usize);
    Ok(HttpResponse::Ok().json(json!({ "rows": rows })))
}

/// Deletes a dataset that no unfinished task uses.
#[utoipa::path(tag = "datasets", responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/datasets/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let dataset: DatasetId = id(&path, "dataset")?;
    let workspace = caller.workspace;
    datasets::find(app.store.read(), workspace, dataset).await?;
    caller.need(Role::Member)?;
    app.transaction(move |tx| async move { datasets::delete(&tx, workspace, dataset).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
