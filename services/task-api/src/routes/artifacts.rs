//! What a task published.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_artifacts::{ManifestFile, Prefix};
use anneal_domain::id::TaskId;
use sea_orm::FromQueryResult;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    download::{self, Archive, Link, LinkOptions},
    task_details::task_of,
};
use crate::{
    App, Error,
    http::{Caller, Page, Problem, Query},
    store::{all, one},
};

/// A published folder.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct ArtifactRow {
    role: String,
    prefix: String,
    manifest_sha256: String,
    size_bytes: i64,
}

impl ArtifactRow {
    pub(super) fn prefix(&self) -> Result<Prefix, Error> {
        Prefix::parse(&self.prefix).map_err(|_| Error::stored("prefix"))
    }
}

/// A published folder with its files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Artifact {
    /// What it is, such as `model` or `results`.
    role: String,
    /// Where it lies in the object store.
    prefix: String,
    manifest_sha256: String,
    size_bytes: i64,
    files: Vec<ArtifactFile>,
}

/// A file of a published folder.
#[derive(Debug, Serialize, ToSchema)]
struct ArtifactFile {
    /// Where it lies in the folder.
    path: String,
    /// In bytes.
    size: u64,
    sha256: String,
    /// Where its object lies, when that is not in the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

impl From<ManifestFile> for ArtifactFile {
    fn from(listed: ManifestFile) -> Self {
        let object = listed.object.map(String::from);
        Self { path: listed.path, size: listed.size_bytes, sha256: listed.sha256, object }
    }
}

/// The folder a task published under a role.
pub(super) async fn of_role(app: &App, task: TaskId, role: &str) -> Result<ArtifactRow, Error> {
    let sql = "SELECT role, prefix, manifest_sha256, size_bytes FROM artifacts WHERE task = $1 AND role = $2";
    let row = one(app.store.read(), sql, [task.to_string().into(), role.into()]).await?;
    row.ok_or_else(|| Error::not_found("artifact"))
}

/// Published folders with their files.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Page<Artifact>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/artifacts")]
pub(crate) async fn list(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let sql = "SELECT role, prefix, manifest_sha256, size_bytes FROM artifacts WHERE task = $1 ORDER BY role";
    let rows: Vec<ArtifactRow> = all(app.store.read(), sql, [task.to_string().into()]).await?;
    let mut view = Vec::with_capacity(rows.len());
    for row in rows {
        let manifest = app.objects.manifest(&row.prefix()?, Some(&row.manifest_sha256)).await?;
        view.push(Artifact {
            role: row.role,
            prefix: row.prefix,
            manifest_sha256: row.manifest_sha256,
            size_bytes: row.size_bytes,
            files: manifest.files.into_iter().map(ArtifactFile::from).collect(),
        });
    }
    Ok(HttpResponse::Ok().json(Page::whole(view)))
}

/// One file, by presigned link.
#[utoipa::path(tag = "tasks", params(LinkOptions), responses((status = 200, body = Link), (status = 307), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/artifacts/{role}/files/{path:.*}")]
pub(crate) async fn file(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    options: Query<LinkOptions>,
) -> Result<HttpResponse, Error> {
    let (task, role, file) = path.into_inner();
    let (task, _) = task_of(&app, &caller, &task).await?;
    let row = of_role(&app, task, &role).await?;
    download::link(&app, &row.prefix()?, Some(&row.manifest_sha256), &file, &options).await
}

/// The whole folder as a zip archive.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Archive, content_type = "application/zip"), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/artifacts/{role}/archive")]
pub(crate) async fn archive(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (task, role) = path.into_inner();
    let (task, row) = task_of(&app, &caller, &task).await?;
    let found = of_role(&app, task, &role).await?;
    let name = format!("{}-{role}", row.name);
    download::archive(&app, found.prefix()?, Some(&found.manifest_sha256), &name).await
}
