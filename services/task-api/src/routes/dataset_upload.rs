//! Uploading a dataset: one file, an archive of several, or another split of what is there.

use std::io::Read;

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{Data, Payload},
};
use anneal_artifacts::{ManifestFile, Prefix};
use anneal_datasets::{Format, Kind};
use anneal_domain::{Name, field_error::FieldErrors, id::DatasetId};
use serde::Deserialize;
use serde_json::Value;
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
    datasets::{self, Checked, DatasetRow, NewVersion, StoredFile, Wanted},
    http::{Caller, Problem, Query, id, next_piece},
    store::{from_json, to_json},
};

/// Rows of a preview, and row errors, that are kept of all files together.
const KEPT_ROWS: usize = 20;
const KEPT_ERRORS: usize = 50;
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

/// An upload as it is to be stored.
struct Plan {
    known: Option<DatasetRow>,
    name: Option<Name>,
    wanted: Wanted,
    builtin: bool,
    split: Option<String>,
    file_name: String,
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
    let new = keep(&app, &caller, plan, checked).await?;
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

impl Plan {
    /// The name of a single file: its own, or that of its split with its own ending.
    fn stored_name(&self) -> String {
        let ending = self.file_name.split_once('.').map(|(_, ending)| ending);
        match (&self.split, ending) {
            (Some(split), Some(ending)) => format!("{split}.{ending}"),
            (Some(split), None) => split.clone(),
            (None, _) => self.file_name.clone(),
        }
    }

    /// Files of the version before that stay beside the new ones.
    fn kept(&self) -> Result<Vec<StoredFile>, Error> {
        let (Some(known), Some(split)) = (&self.known, &self.split) else { return Ok(Vec::new()) };
        let is_replaced = |file: &StoredFile| {
            file.path.split_once('.').map_or(file.path.as_str(), |(stem, _)| stem) == split
        };
        Ok(known.files()?.into_iter().filter(|file| !is_replaced(file)).collect())
    }
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

/// Stores the checked files as a folder of their own, beside those of the version before that stay.
async fn keep(app: &App, caller: &Caller, plan: Plan, checked: Vec<Checked>) -> Result<NewVersion, Error> {
    let dataset = match &plan.known {
        Some(row) => id(&row.id, "dataset")?,
        None => DatasetId::new(),
    };
    let version = plan.known.as_ref().map_or(1, |row| row.version + 1);
    // An object never changes: two uploads at once never share a folder.
    let unique = anneal_domain::id::RequestId::new();
    let prefix = Prefix::dataset(caller.workspace, dataset).join(&format!("{version}/{unique}"))?;
    let mut files = plan.kept()?;
    let mut entries = kept_entries(app, &plan, &files).await?;
    let (mut preview, mut errors) = (Vec::new(), Vec::new());
    for file in &checked {
        let stored = app.objects.put_file(&prefix.file(&file.path)?, &file.local).await?;
        files.push(StoredFile::new(file, &stored));
        entries.push(ManifestFile {
            path: file.path.clone(),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
            object: None,
        });
        preview.extend(values(&file.report.preview)?);
        errors.extend(values(&file.report.first_errors)?);
    }
    if let Some(known) = plan.known.as_ref().filter(|_| plan.split.is_some()) {
        preview.extend(from_json::<Vec<Value>>(&known.preview, "preview")?);
        errors.extend(from_json::<Vec<Value>>(&known.errors, "row errors")?);
    }
    preview.truncate(KEPT_ROWS);
    errors.truncate(KEPT_ERRORS);
    let folder = app.objects.put_manifest(&prefix, entries).await?;
    let report = checked.into_iter().next().map(|file| file.report).ok_or(Error::stored("upload"))?;
    Ok(NewVersion {
        workspace: caller.workspace,
        dataset,
        name: plan.name,
        builtin: plan.builtin,
        version,
        kind: report.kind.name().to_owned(),
        layout: report.layout.name().to_owned(),
        evidence: report.evidence,
        files,
        preview,
        errors,
        prefix: prefix.as_str().to_owned(),
        manifest_sha256: folder.manifest_sha256,
    })
}

/// The manifest's entries of files that stay: their objects lie where they were stored first.
async fn kept_entries(app: &App, plan: &Plan, kept: &[StoredFile]) -> Result<Vec<ManifestFile>, Error> {
    let Some(known) = plan.known.as_ref().filter(|_| !kept.is_empty()) else { return Ok(Vec::new()) };
    let (prefix, kind) = (known.prefix()?, plan.wanted.kind);
    if kind.is_some_and(|kind| kind.name() != known.kind) {
        return Err(Error::field("kind", format!("the dataset's other splits are {}", known.kind)));
    }
    let manifest = app.objects.manifest(&prefix, Some(&known.manifest_sha256)).await?;
    let stays = |file: &ManifestFile| kept.iter().any(|kept| kept.path == file.path);
    let entry = |file: ManifestFile| -> Result<ManifestFile, Error> {
        let object = Some(file.key(&prefix)?);
        Ok(ManifestFile { object, ..file })
    };
    manifest.files.into_iter().filter(stays).map(entry).collect()
}

fn values<T: serde::Serialize>(rows: &[T]) -> Result<Vec<Value>, Error> {
    from_json(&to_json(rows)?, "rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_plain_and_a_split_gives_its_name() {
        assert_eq!(plain("../..//e\u{74}c/pass wd.jsonl"), "_..__etc_pass_wd.jsonl");
        assert_eq!(plain(""), "data");
        let named = |split: Option<&str>, file_name: &str| {
            let plan = Plan {
                known: None,
                name: None,
                wanted: Wanted::default(),
                builtin: false,
                split: split.map(str::to_owned),
                file_name: file_name.to_owned(),
            };
            plan.stored_name()
        };
        assert_eq!(named(Some("train"), "gsm8k.jsonl.gz"), "train.jsonl.gz");
        assert_eq!(named(Some("train"), "data"), "train");
        assert_eq!(named(None, "rows.csv"), "rows.csv");
    }
}
