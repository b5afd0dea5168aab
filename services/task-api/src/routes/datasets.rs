//! Listing, showing, previewing and deleting datasets.

use actix_web::{
    HttpResponse, delete, get,
    web::{Data, Path},
};
use anneal_datasets::Kind;
use anneal_domain::id::DatasetId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::dataset_view::{Dataset, view};
use crate::{
    App, Error,
    access::Role,
    datasets,
    http::{Caller, Page, PageFilter, Problem, Query, cursor_of, id, limit_of},
    store::from_json,
};

/// Which datasets are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetFilter {
    /// `pretrain`, `sft`, `preference` or `evaluation`.
    #[param(value_type = Option<String>)]
    kind: Option<Kind>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Datasets that the workspace may use, newest first: its own, and the platform's.
#[utoipa::path(tag = "datasets", params(DatasetFilter), responses((status = 200, body = Page<Dataset>)))]
#[get("/api/v1/datasets")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<DatasetFilter>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(filter.limit)?;
    let (kind, before) = (filter.kind.map(Kind::name), cursor_of(filter.cursor.as_deref())?);
    let rows = datasets::list(app.store.read(), caller.workspace, kind, before, limit).await?;
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
#[utoipa::path(tag = "datasets", params(VersionChoice), responses((status = 200, body = Dataset), (status = 404, body = Problem)))]
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

/// Versions of a dataset, newest first.
#[utoipa::path(tag = "datasets", params(PageFilter), responses((status = 200, body = Page<Dataset>), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}/versions")]
pub(crate) async fn versions(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<PageFilter>,
) -> Result<HttpResponse, Error> {
    let (dataset, (limit, before)) = (id(&path, "dataset")?, filter.bounds()?);
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

/// The first rows of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetPreview {
    /// Each under the name of its kind: `text`, `chat`, `prompt_completion`, `preference` or `record`.
    rows: Vec<Map<String, Value>>,
}

/// The first rows, as they are understood.
#[utoipa::path(tag = "datasets", params(PreviewOptions), responses((status = 200, body = DatasetPreview), (status = 404, body = Problem)))]
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
    let mut rows: Vec<Map<String, Value>> = from_json(&row.preview, "preview")?;
    rows.truncate(limit as usize);
    Ok(HttpResponse::Ok().json(DatasetPreview { rows }))
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
