//! A dataset's files, fetched by link or as an archive.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::download::{self, Archive, Link, LinkOptions};
use crate::{
    App, Error, datasets,
    http::{Caller, Problem, Query, id},
};

/// Which version is fetched, and how a link is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchOptions {
    /// A version; the newest when absent.
    version: Option<i64>,
    /// `false` answers `{"url": …}` instead of a redirect.
    redirect: Option<bool>,
}

/// One file, by presigned link.
#[utoipa::path(tag = "datasets", params(FetchOptions), responses((status = 200, body = Link), (status = 307), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}/files/{path:.*}")]
pub(crate) async fn fetch(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    options: Query<FetchOptions>,
) -> Result<HttpResponse, Error> {
    let (dataset, file) = path.into_inner();
    let dataset = id(&dataset, "dataset")?;
    let row = datasets::version(app.store.read(), caller.workspace, dataset, options.version).await?;
    let link = LinkOptions { redirect: options.redirect };
    download::link(&app, &row.prefix()?, Some(&row.manifest_sha256), &file, &link).await
}

/// Which version is fetched.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveOptions {
    /// A version; the newest when absent.
    version: Option<i64>,
}

/// The whole dataset as a zip archive: what comes out can be uploaded again.
#[utoipa::path(tag = "datasets", params(ArchiveOptions),
    responses((status = 200, body = Archive, content_type = "application/zip"), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}/archive")]
pub(crate) async fn archive(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    options: Query<ArchiveOptions>,
) -> Result<HttpResponse, Error> {
    let dataset = id(&path, "dataset")?;
    let row = datasets::version(app.store.read(), caller.workspace, dataset, options.version).await?;
    let name = format!("{}-{}", row.name, row.version);
    download::archive(&app, row.prefix()?, Some(&row.manifest_sha256), &name).await
}
