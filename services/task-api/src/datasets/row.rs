//! A dataset as it is stored: its row joined with its newest version.

use anneal_domain::{
    Name,
    id::{DatasetId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use super::Checked;
use crate::{
    Error, builtins,
    store::{all, one, to_json},
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
    pub(crate) file_name: String,
    pub(crate) preview: String,
    pub(crate) errors: String,
    pub(crate) created_at_ms: i64,
}

const SELECT: &str =
    "SELECT d.id, d.name, d.builtin, d.version, v.kind, v.format, v.layout, v.evidence, v.total_rows,
    v.invalid_rows, v.size_bytes, v.characters, v.sha256, v.prefix, v.manifest_sha256, v.file_name, v.preview,
    v.errors, d.created_at_ms
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
    pub(crate) checked: Checked,
    pub(crate) sha256: String,
    pub(crate) prefix: String,
    pub(crate) manifest_sha256: String,
    pub(crate) file_name: String,
}

/// Writes the version, and the dataset with it when it is new.
pub(crate) async fn add_version(tx: &Tx, new: NewVersion) -> Result<DatasetRow, Error> {
    let now = tx.now_ms().await?;
    let id = new.dataset.to_string();
    if let Some(name) = &new.name {
        insert(tx, &new, name, now).await?;
    } else {
        advance(tx, &new).await?;
    }
    let report = &new.checked.report;
    tx.run(
        "INSERT INTO dataset_versions (dataset, version, kind, format, layout, evidence, total_rows, invalid_rows,
           size_bytes, characters, sha256, prefix, manifest_sha256, file_name, preview, errors, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        [
            id.into(),
            new.version.into(),
            report.kind.name().into(),
            new.checked.stored_format.name().into(),
            report.layout.name().into(),
            report.evidence.clone().into(),
            whole(report.rows).into(),
            whole(report.invalid).into(),
            whole(report.bytes).into(),
            whole(report.characters).into(),
            new.sha256.into(),
            new.prefix.into(),
            new.manifest_sha256.into(),
            new.file_name.into(),
            preview(&report.preview)?.into(),
            to_json(&report.first_errors)?.into(),
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
fn preview(rows: &[anneal_datasets::Row]) -> Result<String, Error> {
    let mut left = LARGEST_PREVIEW;
    let mut kept = Vec::new();
    for row in rows {
        let row = serde_json::to_value(row).map_err(|_| Error::stored("JSON"))?;
        let size = row.to_string().len();
        if size > left {
            break;
        }
        left -= size;
        kept.push(row);
    }
    to_json(&kept)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Removes a dataset that no unfinished task uses; its objects' prefix.
pub(crate) async fn delete(tx: &Tx, workspace: WorkspaceId, id: DatasetId) -> Result<(), Error> {
    let row = find(&**tx, workspace, id).await?;
    builtins::unused_elsewhere(tx, workspace, &row.id).await?;
    let sql = "SELECT id FROM tasks WHERE workspace = $1 AND finished_at_ms IS NULL AND spec LIKE $2 LIMIT 1";
    let used = tx.row(sql, [workspace.to_string().into(), format!("%{}%", row.id).into()]).await?;
    if let Some(used) = used {
        let by: String = used.try_get("", "id")?;
        return Err(Error::conflict(format!("the dataset is used by {by}: end that first")));
    }
    tx.run("DELETE FROM dataset_versions WHERE dataset = $1", [row.id.clone().into()]).await?;
    tx.run("DELETE FROM datasets WHERE id = $1", [row.id.into()]).await?;
    Ok(())
}
