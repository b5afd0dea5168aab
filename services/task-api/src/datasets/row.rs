//! A dataset as it is stored: its row joined with its newest version.

use anneal_artifacts::Prefix;
use anneal_domain::{
    Name,
    id::{DatasetId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use super::StoredFile;
use crate::{
    Error, builtins, discarded,
    store::{all, for_update, from_json, one, to_json},
    tasks,
};

/// Bytes of preview that are kept.
const LARGEST_PREVIEW: usize = 1 << 20;

/// A dataset with its newest version.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct DatasetRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) builtin: i64,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) layout: String,
    pub(crate) evidence: String,
    pub(crate) total_rows: i64,
    pub(crate) invalid_rows: i64,
    pub(crate) size_bytes: i64,
    pub(crate) characters: i64,
    pub(crate) sha256: String,
    pub(crate) prefix: String,
    pub(crate) manifest_sha256: String,
    /// The one file, or none of several.
    pub(crate) file_name: String,
    /// Its files as JSON; absent in versions that were stored before datasets had several.
    pub(crate) files: Option<String>,
    pub(crate) preview: String,
    pub(crate) errors: String,
    pub(crate) created_at_ms: i64,
}

impl DatasetRow {
    /// The files of this version.
    pub(crate) fn files(&self) -> Result<Vec<StoredFile>, Error> {
        if let Some(files) = &self.files {
            return from_json(files, "dataset files");
        }
        Ok(vec![StoredFile {
            path: self.file_name.clone(),
            split: None,
            format: self.format.clone(),
            rows: self.total_rows.unsigned_abs(),
            invalid_rows: self.invalid_rows.unsigned_abs(),
            characters: self.characters.unsigned_abs(),
            size_bytes: self.size_bytes.unsigned_abs(),
            sha256: self.sha256.clone(),
        }])
    }

    /// Where its manifest is.
    pub(crate) fn prefix(&self) -> Result<Prefix, Error> {
        Prefix::parse(&self.prefix).map_err(|_| Error::stored("prefix"))
    }
}

const SELECT: &str =
    "SELECT d.id, d.name, d.builtin, v.version, v.kind, v.format, v.layout, v.evidence, v.total_rows,
    v.invalid_rows, v.size_bytes, v.characters, v.sha256, v.prefix, v.manifest_sha256, v.file_name, v.files,
    v.preview, v.errors, d.created_at_ms
  FROM datasets d JOIN dataset_versions v ON v.dataset = d.id AND v.version = d.version
  WHERE";
/// Which rows a workspace ($1) may read; $2 is where the platform's own are.
const READABLE: &str = "(d.workspace = $1 OR (d.workspace = $2 AND d.builtin = 1))";

/// The dataset of this workspace.
pub(crate) async fn find(db: &impl Sql, workspace: WorkspaceId, id: DatasetId) -> Result<DatasetRow, Error> {
    let sql = format!("{SELECT} d.workspace = $1 AND d.id = $2");
    let row = one(db, &sql, [workspace.to_string().into(), id.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("dataset"))
}

/// A dataset that this workspace may use: its own, or one of the platform's.
pub(crate) async fn readable(
    db: &impl Sql,
    workspace: WorkspaceId,
    id: DatasetId,
) -> Result<DatasetRow, Error> {
    let sql = format!("{SELECT} {READABLE} AND d.id = $3");
    let row = one(db, &sql, [workspace.to_string().into(), builtins::home(), id.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("dataset"))
}

/// As [`readable`], in one of its versions; the newest when none is named.
pub(crate) async fn version(
    db: &impl Sql,
    workspace: WorkspaceId,
    id: DatasetId,
    version: Option<i64>,
) -> Result<DatasetRow, Error> {
    let newest = readable(db, workspace, id).await?;
    match version.filter(|version| *version != newest.version) {
        None => Ok(newest),
        Some(version) => {
            let older = all_versions(db, &newest, version.checked_add(1), 1).await?.into_iter().next();
            older.filter(|row| row.version == version).ok_or_else(|| Error::not_found("version"))
        }
    }
}

/// Versions of a dataset, newest first, one more than `limit` where there are more.
pub(crate) async fn versions(
    db: &impl Sql,
    workspace: WorkspaceId,
    id: DatasetId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<DatasetRow>, Error> {
    let newest = readable(db, workspace, id).await?;
    all_versions(db, &newest, before, u64::from(limit) + 1).await
}

async fn all_versions(
    db: &impl Sql,
    newest: &DatasetRow,
    before: Option<i64>,
    most: u64,
) -> Result<Vec<DatasetRow>, Error> {
    let sql = format!(
        "SELECT d.id, d.name, d.builtin, v.* FROM datasets d JOIN dataset_versions v ON v.dataset = d.id
         WHERE d.id = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT {most}"
    );
    all(db, &sql, [newest.id.clone().into(), before.unwrap_or(i64::MAX).into()]).await
}

/// The platform's newest dataset of this name.
pub(crate) async fn builtin(db: &impl Sql, name: &str) -> Result<Option<DatasetRow>, Error> {
    let sql =
        format!("{SELECT} d.workspace = $1 AND d.builtin = 1 AND d.name = $2 ORDER BY d.id DESC LIMIT 1");
    one(db, &sql, [builtins::home(), name.into()]).await
}

/// Datasets that this workspace may use, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    kind: Option<&str>,
    before: Option<DatasetId>,
    limit: u32,
) -> Result<Vec<DatasetRow>, Error> {
    let mut sql = format!("{SELECT} {READABLE}");
    let mut values: Vec<Value> = vec![workspace.to_string().into(), builtins::home()];
    let before = before.map(|before| before.to_string());
    for (condition, value) in [("v.kind =", kind), ("d.id <", before.as_deref())] {
        if let Some(value) = value {
            values.push(value.into());
            sql = format!("{sql} AND {condition} ${}", values.len());
        }
    }
    all(db, &format!("{sql} ORDER BY d.id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// A checked upload, stored as a folder.
#[derive(Clone, Debug)]
pub(crate) struct NewVersion {
    pub(crate) workspace: WorkspaceId,
    pub(crate) dataset: DatasetId,
    /// The name of a new dataset; `None` adds a version to one that exists.
    pub(crate) name: Option<Name>,
    pub(crate) builtin: bool,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) layout: String,
    pub(crate) evidence: String,
    pub(crate) files: Vec<StoredFile>,
    /// The first rows, as they are understood.
    pub(crate) preview: Vec<serde_json::Value>,
    /// The first rows that were left out, and why.
    pub(crate) errors: Vec<serde_json::Value>,
    pub(crate) prefix: String,
    pub(crate) manifest_sha256: String,
}

impl NewVersion {
    fn sum(&self, of: impl Fn(&StoredFile) -> u64) -> i64 {
        let sum = self.files.iter().map(of).fold(0, u64::saturating_add);
        i64::try_from(sum).unwrap_or(i64::MAX)
    }

    /// The format of its files; `several` where they differ.
    fn format(&self) -> &str {
        match self.files.as_slice() {
            [first, rest @ ..] if rest.iter().all(|file| file.format == first.format) => &first.format,
            _ => "several",
        }
    }

    /// Name and hash of the one file; of several, no name and the manifest's hash.
    fn single(&self) -> (&str, &str) {
        match self.files.as_slice() {
            [file] => (&file.path, &file.sha256),
            _ => ("", &self.manifest_sha256),
        }
    }
}

/// Writes the version, and the dataset with it when it is new.
pub(crate) async fn add_version(tx: &Tx, new: NewVersion) -> Result<DatasetRow, Error> {
    let now = tx.now_ms().await?;
    if let Some(name) = &new.name {
        insert(tx, &new, name, now).await?;
    } else {
        advance(tx, &new).await?;
    }
    let (file_name, sha256) = new.single();
    tx.run(
        "INSERT INTO dataset_versions (dataset, version, kind, format, layout, evidence, total_rows, invalid_rows,
           size_bytes, characters, sha256, prefix, manifest_sha256, file_name, files, preview, errors, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        [
            new.dataset.to_string().into(),
            new.version.into(),
            new.kind.clone().into(),
            new.format().into(),
            new.layout.clone().into(),
            new.evidence.clone().into(),
            new.sum(|file| file.rows).into(),
            new.sum(|file| file.invalid_rows).into(),
            new.sum(|file| file.size_bytes).into(),
            new.sum(|file| file.characters).into(),
            sha256.into(),
            new.prefix.clone().into(),
            new.manifest_sha256.clone().into(),
            file_name.into(),
            to_json(&new.files)?.into(),
            preview(&new.preview)?.into(),
            to_json(&new.errors)?.into(),
            now.into(),
        ],
    )
    .await?;
    find(&**tx, new.workspace, new.dataset).await
}

async fn insert(tx: &Tx, new: &NewVersion, name: &Name, now: i64) -> Result<(), Error> {
    tx.run(
        "INSERT INTO datasets (id, workspace, name, builtin, version, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
        [
            new.dataset.to_string().into(),
            new.workspace.to_string().into(),
            name.to_string().into(),
            i64::from(new.builtin).into(),
            new.version.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Makes the version the newest one, on condition that none came in between.
async fn advance(tx: &Tx, new: &NewVersion) -> Result<(), Error> {
    let sql = "UPDATE datasets SET version = $1 WHERE id = $2 AND workspace = $3 AND version = $4";
    let values = [
        new.version.into(),
        new.dataset.to_string().into(),
        new.workspace.to_string().into(),
        (new.version - 1).into(),
    ];
    match tx.run(sql, values).await? {
        0 => Err(Error::conflict("another version was uploaded meanwhile: upload again")),
        _ => Ok(()),
    }
}

/// The first rows, as far as they are of a size to be looked at.
fn preview(rows: &[serde_json::Value]) -> Result<String, Error> {
    let mut left = LARGEST_PREVIEW;
    let mut kept = Vec::new();
    for row in rows {
        let size = row.to_string().len();
        if size > left {
            break;
        }
        left -= size;
        kept.push(row);
    }
    to_json(&kept)
}

/// Removes a dataset that no unfinished task uses, with all its versions.
pub(crate) async fn delete(tx: &Tx, workspace: WorkspaceId, id: DatasetId) -> Result<(), Error> {
    let row = find(&**tx, workspace, id).await?;
    // A task that is being created with it waits here, or is seen below.
    let lock = format!("SELECT id FROM datasets WHERE id = $1{}", for_update(tx));
    tx.row(&lock, [row.id.clone().into()]).await?;
    builtins::unused_elsewhere(tx, workspace, &row.id).await?;
    if let Some(by) = tasks::user_of(tx, workspace, &row.id).await? {
        return Err(Error::conflict(format!("the dataset is used by {by}: end that first")));
    }
    tx.run("DELETE FROM dataset_versions WHERE dataset = $1", [row.id.clone().into()]).await?;
    tx.run("DELETE FROM datasets WHERE id = $1", [row.id.into()]).await?;
    discarded::discard(tx, &Prefix::dataset(workspace, id)).await
}
