//! Uploading a dataset: one file, an archive of several, or another split of what is there.

use std::io::Read;

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{Data, Payload},
};
use anneal_datasets::{Format, Kind};
use anneal_domain::{Name, field_error::FieldErrors, id::DatasetId};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use utoipa::IntoParams;

use super::{
    dataset_view::{Dataset, view},
    once::Once,
};
use crate::{
    App, Error,
    access::Role,
    datasets::{self, Plan, Wanted},
    http::{Caller, Problem, Query, next_piece},
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
    /// The file is this split, such as `train`. With `dataset`, the new version keeps the other splits.
    split: Option<String>,
    /// Registers a new one as the platform's own, for every workspace (admins of the first workspace only).
    builtin: Option<bool>,
}

/// Uploads a dataset: the raw bytes are the body, every row is read before it is accepted. A zip archive of data files becomes
/// a dataset of several files, whose names (or folders) say which split each is.
#[utoipa::path(tag = "datasets", params(Upload),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 201, body = Dataset), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/datasets")]
pub(crate) async fn upload(
    app: Data<App>,
    caller: Caller,
    asked: Query<Upload>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let plan = plan(&app, &caller, asked.into_inner()).await?;
    let folder = app.work.upload();
    let folder = folder.map_err(|error| Error::Unavailable(format!("no place for the upload: {error}")))?;
    let received = folder.path().join("received");
    receive(&app, body, &received).await?;
    let said = match &caller.idempotency_key {
        Some(_) => format!("{}\n{}", request.query_string(), fingerprint(received.clone()).await?),
        None => String::new(),
    };
    let once = Once::of(&app, &caller, "datasets", said.as_bytes()).await?;
    if let Some(known) = once.known("dataset")? {
        let row = datasets::find(app.store.read(), caller.workspace, known).await?;
        return Ok(HttpResponse::Created().json(view(&row)?));
    }
    let (inside, wanted, most) = (folder.path().to_owned(), plan.wanted, app.config.max_upload_bytes);
    let name = plan.stored_name();
    let is_split = plan.split.is_some();
    let checked = tokio::task::spawn_blocking(move || {
        let files = inside.join("files");
        let paths = if datasets::is_archive(&received)? {
            if is_split {
                return Err(Error::field("split", "an archive holds several files: leave it out"));
            }
            datasets::unpack(&received, &files, most)?
        } else {
            place(&received, &files, &name)?;
            vec![name]
        };
        datasets::check(&files, &paths, wanted)
    });
    let checked = checked.await;
    let checked = checked
        .map_err(|_| Error::field("body", "the file made its reader give up: it cannot be used"))??;
    let new = datasets::keep(&app.objects, caller.workspace, plan, checked).await?;
    let added = app.transaction(move |tx| async move {
        let row = datasets::add_version(&tx, new).await?;
        once.remember(&tx, &row.id).await?;
        Ok(row)
    });
    let row = added.await?;
    Ok(HttpResponse::Created().json(view(&row)?))
}

/// The SHA-256 of a file: what a repeated upload is told by.
async fn fingerprint(path: std::path::PathBuf) -> Result<String, Error> {
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
fn fits_version(asked: &Upload) -> Result<(), Error> {
    let mut wrong = FieldErrors::default();
    if asked.dataset.is_some() {
        let why = "belongs to a new dataset: leave it out to add a version";
        wrong.require(asked.name.is_none(), "name", why);
        wrong.require(asked.builtin.is_none(), "builtin", why);
    }
    match wrong.into_vec() {
        wrong if wrong.is_empty() => Ok(()),
        wrong => Err(Error::Invalid(wrong)),
    }
}

/// Everything about the upload that can be refused before its bytes are read.
async fn plan(app: &App, caller: &Caller, asked: Upload) -> Result<Plan, Error> {
    if asked.builtin == Some(true) {
        caller.need_operator()?;
    }
    fits_version(&asked)?;
    let kind: Option<Kind> = given("kind", asked.kind.as_deref())?;
    let format: Option<Format> = given("format", asked.format.as_deref())?;
    let known = match asked.dataset {
        Some(dataset) => Some(datasets::find(app.store.read(), caller.workspace, dataset).await?),
        None => None,
    };
    let name = match (&known, &asked.name) {
        (Some(_), _) => None,
        (None, Some(name)) => {
            Some(Name::try_from(name.clone()).map_err(|error| Error::field("name", error.to_string()))?)
        }
        (None, None) => return Err(Error::field("name", "name the dataset: `?name=…`")),
    };
    let is_plain = |split: &String| {
        (1..=32).contains(&split.len()) && split.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if asked.split.as_ref().is_some_and(|split| !is_plain(split)) {
        return Err(Error::field("split", "1 to 32 small letters and digits, such as `train`"));
    }
    // Another split is of the kind of those that are there.
    let of_known = || known.as_ref().filter(|_| asked.split.is_some()).and_then(|row| row.kind.parse().ok());
    let kind = kind.or_else(of_known);
    let wanted = Wanted { kind, format, skip_invalid: asked.skip_invalid == Some(true) };
    let file_name = plain(asked.filename.as_deref().unwrap_or("data"));
    Ok(Plan { known, name, wanted, builtin: asked.builtin == Some(true), split: asked.split, file_name })
}

fn given<T: std::str::FromStr<Err = String>>(field: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    text.filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(|why| Error::field(field, why))
}

/// A file name of plain characters; the ending stays.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().rev().take(100).collect::<Vec<_>>().into_iter().rev().map(safe).collect();
    let name = name.trim_start_matches('.').to_owned();
    if name.is_empty() { "data".to_owned() } else { name }
}

fn place(received: &std::path::Path, files: &std::path::Path, name: &str) -> Result<(), Error> {
    let placed = std::fs::create_dir_all(files).and_then(|()| std::fs::rename(received, files.join(name)));
    placed.map_err(|error| Error::Unavailable(format!("the upload cannot be kept: {error}")))
}

/// Writes the body to a file as it comes.
async fn receive(app: &App, mut body: Payload, path: &std::path::Path) -> Result<(), Error> {
    let disk = |error: std::io::Error| Error::Unavailable(format!("the upload cannot be kept: {error}"));
    let most = app.config.max_upload_bytes;
    let mut file = tokio::fs::File::create(path).await.map_err(disk)?;
    let mut size = 0_u64;
    while let Some(piece) = next_piece(app, &mut body).await? {
        size += piece.len() as u64;
        if size > most {
            return Err(Error::TooLarge(most));
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_plain() {
        assert_eq!(plain("../..//e\u{74}c/pass wd.jsonl"), "_..__etc_pass_wd.jsonl");
        assert_eq!(plain(""), "data");
    }
}
