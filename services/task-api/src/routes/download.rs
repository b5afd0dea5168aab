//! Files and folders of the object store, on their way to a user.

use std::time::Duration;

use actix_web::HttpResponse;
use anneal_artifacts::{Key, Manifest, ObjectStore, Prefix};
use anneal_runtime::tasks;
use async_zip::{Compression, ZipEntryBuilder, tokio::write::ZipFileWriter};
use futures::AsyncWriteExt;
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use utoipa::{IntoParams, ToSchema};

use crate::{App, Error};

/// How long a link works.
const LINK_VALID: Duration = Duration::from_secs(900);
/// Bytes between the archive's writer and its reader.
const PIPE: usize = 64 << 10;

/// How a link is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkOptions {
    /// `false` answers `{"url": …}` instead of a redirect.
    pub(super) redirect: Option<bool>,
}

/// A link, where no redirect is wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// Works for fifteen minutes, without a key.
    url: String,
}

/// A zip archive.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes bytes that are sent as they are made")]
pub(crate) struct Archive(Vec<u8>);

/// A presigned link to one file of a real folder.
pub(super) async fn link(
    app: &App,
    prefix: &Prefix,
    manifest_sha256: Option<&str>,
    path: &str,
    options: &LinkOptions,
) -> Result<HttpResponse, Error> {
    let manifest = app.objects.manifest(prefix, manifest_sha256).await?;
    let key = match manifest.files.iter().find(|file| file.path == path) {
        Some(file) => file.key(prefix)?,
        None if path == anneal_artifacts::MANIFEST => prefix.file(path)?,
        None => return Err(Error::not_found("file")),
    };
    link_to(app, &key, path, options).await
}

/// A presigned link to an object that is there, saved under the last part of `path`.
pub(super) async fn link_to(
    app: &App,
    key: &Key,
    path: &str,
    options: &LinkOptions,
) -> Result<HttpResponse, Error> {
    let url = app.objects.presign_get(key, LINK_VALID, path.rsplit('/').next()).await?;
    if options.redirect == Some(false) {
        return Ok(HttpResponse::Ok().json(Link { url }));
    }
    Ok(HttpResponse::TemporaryRedirect().insert_header(("Location", url)).finish())
}

/// A whole folder as a zip archive, made as it is sent: nothing is held but one piece.
pub(super) async fn archive(
    app: &App,
    prefix: Prefix,
    manifest_sha256: Option<&str>,
    name: &str,
) -> Result<HttpResponse, Error> {
    let manifest = app.objects.manifest(&prefix, manifest_sha256).await?;
    let (writer, reader) = tokio::io::duplex(PIPE);
    let objects = app.objects.clone();
    tasks::spawn("archive", async move {
        if let Err(error) = write(&objects, &prefix, &manifest, writer).await {
            // The reader sees a cut archive, which no unzip accepts.
            tracing::warn!(%error, %prefix, "an archive broke off");
        }
    });
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{safe}.zip\"")))
        .streaming(ReaderStream::new(reader)))
}

async fn write(
    objects: &ObjectStore,
    prefix: &Prefix,
    manifest: &Manifest,
    out: tokio::io::DuplexStream,
) -> anyhow::Result<()> {
    let mut zip = ZipFileWriter::with_tokio(out);
    for file in &manifest.files {
        let entry = ZipEntryBuilder::new(file.path.clone().into(), Compression::Stored);
        let mut to = zip.write_entry_stream(entry).await?;
        let mut body = objects.get(&file.key(prefix)?, None).await?;
        let mut sent = 0_u64;
        while let Some(piece) = body.next().await {
            let piece = piece?;
            sent += piece.len() as u64;
            to.write_all(&piece).await?;
        }
        anyhow::ensure!(sent == file.size_bytes, "`{}` broke off after {sent} bytes", file.path);
        to.close().await?;
    }
    zip.close().await?;
    Ok(())
}
