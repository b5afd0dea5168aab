//! A model's files: uploaded one by one, fetched by link or as an archive.

use actix_web::{
    HttpResponse, get, put,
    web::{Data, Path, Payload},
};
use anneal_artifacts::ManifestFile;
use anneal_domain::id::{ModelId, RequestId};
use serde::Serialize;
use utoipa::ToSchema;

use super::download::{self, Archive, Link, LinkOptions};
use crate::{
    App, Error,
    access::Role,
    discarded,
    http::{Caller, Problem, Query, id, next_piece},
    models,
};

/// A file of a model, as it was stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredModelFile {
    /// Where it lies in the model.
    path: String,
    size_bytes: u64,
    sha256: String,
}

/// Stores one file of a model that is not complete yet; the raw bytes are the body.
#[utoipa::path(tag = "models", request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = StoredModelFile), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[put("/api/v1/models/{id}/files/{path:.*}")]
pub(crate) async fn store(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Payload,
) -> Result<HttpResponse, Error> {
    let (model, file) = path.into_inner();
    let model: ModelId = id(&model, "model")?;
    let row = models::find(app.store.read(), caller.workspace, model).await?;
    caller.need(Role::Member)?;
    if row.state != "uploading" {
        return Err(Error::conflict("the model is complete: its files never change"));
    }
    if file == anneal_artifacts::MANIFEST {
        return Err(Error::field("path", "manifest.json is the platform's own"));
    }
    // An object never changes: each upload has a folder of its own, and counts once it is noted.
    let folder = row.root()?.join(&format!("file/{}", RequestId::new()))?;
    let key = folder.file(&file)?;
    // The payload is bound to its thread; a channel lets the store read it from anywhere.
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<bytes::Bytes>>(8);
    let source = futures::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    let (stored, sent) = futures::join!(app.objects.put_stream(&key, source), feed(&app, body, sender));
    sent?;
    let stored = stored?;
    let answer = StoredModelFile { path: file, size_bytes: stored.size_bytes, sha256: stored.sha256 };
    let entry = ManifestFile {
        path: answer.path.clone(),
        size_bytes: answer.size_bytes,
        sha256: answer.sha256.clone(),
        object: Some(key),
    };
    let workspace = caller.workspace;
    let noted = app
        .transaction(move |tx| async move { models::note_file(&tx, workspace, model, &entry).await })
        .await;
    if let Err(error) = noted {
        app.transaction(move |tx| async move { discarded::discard(&tx, &folder).await }).await?;
        return Err(error);
    }
    Ok(HttpResponse::Ok().json(answer))
}

async fn feed(
    app: &App,
    mut body: Payload,
    to: tokio::sync::mpsc::Sender<std::io::Result<bytes::Bytes>>,
) -> Result<(), Error> {
    let most = app.config.max_upload_bytes;
    let mut size = 0_u64;
    loop {
        let failure = match next_piece(app, &mut body).await {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) if size + piece.len() as u64 <= most => {
                size += piece.len() as u64;
                if to.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            Ok(Some(_)) => Error::TooLarge(most),
            Err(error) => error,
        };
        // The store must not take what came so far for the whole.
        drop(to.send(Err(std::io::Error::other("the upload broke off"))).await);
        return Err(failure);
    }
}

/// One file, by presigned link.
#[utoipa::path(tag = "models", params(LinkOptions), responses((status = 200, body = Link), (status = 307), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}/files/{path:.*}")]
pub(crate) async fn fetch(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    options: Query<LinkOptions>,
) -> Result<HttpResponse, Error> {
    let (model, file) = path.into_inner();
    let row = models::readable(app.store.read(), caller.workspace, id(&model, "model")?).await?;
    let folder = row.folder("model")?;
    download::link(&app, &row.prefix()?, Some(&folder.manifest_sha256), &file, &options).await
}

/// The whole model as a zip archive.
#[utoipa::path(tag = "models", responses((status = 200, body = Archive, content_type = "application/zip"), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}/archive")]
pub(crate) async fn archive(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let row = models::readable(app.store.read(), caller.workspace, id(&path, "model")?).await?;
    let folder = row.folder("model")?;
    download::archive(&app, row.prefix()?, Some(&folder.manifest_sha256), &row.name).await
}
