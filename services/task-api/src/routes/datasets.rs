//! Uploading, listing, previewing and deleting datasets.

use std::{io::Read, path::PathBuf};

use actix_web::{
    HttpRequest, HttpResponse, delete, get, post,
    web::{Data, Path, Payload},
};
use anneal_artifacts::{ManifestFile, Prefix};
use anneal_datasets::{Format, Kind};
use anneal_domain::{Name, field_error::FieldErrors, id::DatasetId};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use utoipa::IntoParams;

use super::{
    dataset_view::{Dataset, view},
    once::Once,
};
use crate::{
    App, Error,
    access::Role,
    datasets::{self, Checked, NewVersion, Wanted},
    http::{Caller, Page, Problem, Query, cursor_of, id, limit_of},
    store::from_json,
};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// What is uploaded.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upload {
    /// The dataset's name; needed for a new one.
    name: Option<String>,
    /// `pretrain`, `sft`, `preference` or `evaluation`; detected when absent.
    kind: Option<String>,
    /// `jsonl`, `json`, `csv`, `tsv`, `parquet`, `arrow` or `text`; detected when absent.
    format: Option<String>,
    /// The file's name, whose ending helps detection.
    filename: Option<String>,
    /// Leave invalid rows out instead of refusing the upload.
    skip_invalid: Option<bool>,
    /// Adds a version to this dataset, whose name stays.
    dataset: Option<DatasetId>,
    /// Registers a new one as the platform's own, for every workspace (admins of the first workspace only).
    builtin: Option<bool>,
}

/// Uploads a dataset: the raw bytes are the body, every row is read before it is accepted.
#[utoipa::path(tag = "datasets", params(Upload),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 201, body = Dataset), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/datasets")]
pub(crate) async fn upload(
    app: Data<App>,
    caller: Caller,
    upload: Query<Upload>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let upload = upload.into_inner();
    if upload.builtin == Some(true) {
        caller.need_operator()?;
    }
    fits_version(&upload)?;
    let kind: Option<Kind> = given("kind", upload.kind.as_deref())?;
    let format: Option<Format> = given("format", upload.format.as_deref())?;
    let known = match upload.dataset {
        Some(dataset) => Some(datasets::find(app.store.read(), caller.workspace, dataset).await?),
        None => None,
    };
    let name = match (&known, &upload.name) {
        (Some(_), _) => None,
        (None, Some(name)) => {
            Some(Name::try_from(name.clone()).map_err(|error| Error::field("name", error.to_string()))?)
        }
        (None, None) => return Err(Error::field("name", "name the dataset: `?name=…`")),
    };
    let folder = TempDir::with_prefix_in("upload-", &app.config.work_dir)
        .map_err(|error| Error::Unavailable(format!("no place for the upload: {error}")))?;
    let file_name = plain(upload.filename.as_deref().unwrap_or("data"));
    let path = folder.path().join(&file_name);
    receive(body, &path, app.config.max_upload_bytes).await?;
    let said = if caller.idempotency_key.is_some() {
        format!("{}\n{}", request.query_string(), fingerprint(path.clone()).await?)
    } else {
        String::new()
    };
    let once = Once::of(&app, &caller, "datasets", said.as_bytes()).await?;
    if let Some(known) = once.known("dataset")? {
        let row = datasets::find(app.store.read(), caller.workspace, known).await?;
        return Ok(HttpResponse::Created().json(view(&row)?));
    }
    let wanted = Wanted { kind, format, skip_invalid: upload.skip_invalid == Some(true) };
    let checked = tokio::task::spawn_blocking(move || datasets::check(&path, wanted)).await;
    let checked = checked
        .map_err(|_| Error::field("body", "the file made its reader give up: it cannot be used"))??;
    let dataset = match &known {
        Some(row) => id(&row.id, "dataset")?,
        None => DatasetId::new(),
    };
    let version = known.map_or(1, |row| row.version + 1);
    let new = keep(&app, &caller, dataset, version, name, checked, upload.builtin == Some(true)).await?;
    let added = app.transaction(move |tx| async move {
        let row = datasets::add_version(&tx, new).await?;
        once.remember(&tx, &row.id).await?;
        Ok(row)
    });
    let row = added.await?;
    Ok(HttpResponse::Created().json(view(&row)?))
}

/// The SHA-256 of a file: what a repeated upload is told by.
async fn fingerprint(path: PathBuf) -> Result<String, Error> {
    let hashed = tokio::task::spawn_blocking(move || {
        let (mut file, mut hash) = (std::fs::File::open(path)?, Sha256::new());
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok::<_, std::io::Error>(hex::encode(hash.finalize())),
                size => hash.update(&piece[..size]),
            }
        }
    });
    let hashed = hashed.await.map_err(|_| Error::Unavailable("the service is stopping".to_owned()))?;
    hashed.map_err(|error| Error::Unavailable(format!("the upload cannot be read back: {error}")))
}

/// A version of a dataset that is there takes neither a name nor a place of its own.
fn fits_version(wanted: &Upload) -> Result<(), Error> {
    let mut wrong = FieldErrors::default();
    if wanted.dataset.is_some() {
        let why = "belongs to a new dataset: leave it out to add a version";
        wrong.require(wanted.name.is_none(), "name", why);
        wrong.require(wanted.builtin.is_none(), "builtin", why);
    }
    match wrong.into_vec() {
        wrong if wrong.is_empty() => Ok(()),
        wrong => Err(Error::Invalid(wrong)),
    }
}

fn given<T: std::str::FromStr<Err = String>>(field: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    text.filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(|why| Error::field(field, why))
}

/// A file name of plain characters; the ending stays.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().rev().take(100).collect::<Vec<_>>().into_iter().rev().map(safe).collect();
    let name = name.trim_start_matches('.').to_owned();
    if name.is_empty() || name == "manifest.json" { "data".to_owned() } else { name }
}

/// Writes the body to a file as it comes.
pub(super) async fn receive(mut body: Payload, path: &std::path::Path, most: u64) -> Result<u64, Error> {
    let disk = |error: std::io::Error| Error::Unavailable(format!("the upload cannot be kept: {error}"));
    let mut file = tokio::fs::File::create(path).await.map_err(disk)?;
    let mut size = 0_u64;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Error::Malformed(format!("the body broke off: {error}")))?;
        size += piece.len() as u64;
        if size > most {
            return Err(Error::TooLarge(most));
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(size)
}

/// Stores the checked file as a folder.
async fn keep(
    app: &App,
    caller: &Caller,
    dataset: DatasetId,
    version: i64,
    name: Option<Name>,
    checked: Checked,
    builtin: bool,
) -> Result<NewVersion, Error> {
    // An object never changes: two uploads at once never share a folder.
    let unique = anneal_domain::id::RequestId::new();
    let prefix = Prefix::dataset(caller.workspace, dataset).join(&format!("{version}/{unique}"))?;
    let file_name =
        checked.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stored = app.objects.put_file(&prefix.file(&file_name)?, &checked.path).await?;
    let file = ManifestFile {
        path: file_name.clone(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256.clone(),
    };
    let folder = app.objects.put_manifest(&prefix, vec![file]).await?;
    Ok(NewVersion {
        workspace: caller.workspace,
        dataset,
        name,
        builtin,
        version,
        checked,
        sha256: stored.sha256,
        prefix: prefix.as_str().to_owned(),
        manifest_sha256: folder.manifest_sha256,
        file_name,
    })
}

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

/// A dataset.
#[utoipa::path(tag = "datasets", responses((status = 200, body = Dataset), (status = 404, body = Problem)))]
#[get("/api/v1/datasets/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = datasets::readable(app.store.read(), caller.workspace, id(&path, "dataset")?).await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}

/// How much of a preview is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewOptions {
    /// 1 to 100; the first 20 rows are kept.
    limit: Option<u32>,
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
    let row = datasets::readable(app.store.read(), caller.workspace, id(&path, "dataset")?).await?;
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
    let removed = app.objects.delete_prefix(&Prefix::dataset(workspace, dataset)).await;
    if let Err(error) = removed {
        tracing::warn!(%dataset, %error, "a deleted dataset's objects stay until they are removed by hand");
    }
    Ok(HttpResponse::NoContent().finish())
}
