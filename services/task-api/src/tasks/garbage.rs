//! Folders of objects that nothing stands behind any more: noted with the change that leaves them, removed later by the
//! collector.

use anneal_domain::id::TaskId;
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;

use super::checkpoint::{self, RESUME_POINTS};
use crate::{
    Error,
    store::{TaskRow, all},
};

/// A worker that has lost its lease may still be uploading: its folder is left alone for this long.
const AFTER_MS: i64 = 3_600_000;

#[derive(FromQueryResult)]
struct Folder {
    prefix: String,
}

/// Everything below the folder goes once its time has come, but what is alive by then ([`alive`]).
async fn leave(tx: &Tx, prefix: &str, now_ms: i64) -> Result<(), Error> {
    tx.run(
        "INSERT INTO garbage (prefix, after_ms) VALUES ($1, $2)
         ON CONFLICT (prefix) DO UPDATE SET after_ms = excluded.after_ms",
        [prefix.into(), (now_ms + AFTER_MS).into()],
    )
    .await?;
    Ok(())
}

/// A task has ended: uploads of checkpoints and artifacts that were never committed are left.
pub(super) async fn of_ended(tx: &Tx, row: &TaskRow, now_ms: i64) -> Result<(), Error> {
    for folder in ["checkpoint", "artifact"] {
        leave(tx, &format!("{}/task/{}/{folder}", row.workspace, row.id), now_ms).await?;
    }
    Ok(())
}

/// A task is deleted: all of it is left.
pub(super) async fn of_deleted(tx: &Tx, row: &TaskRow, now_ms: i64) -> Result<(), Error> {
    leave(tx, &format!("{}/task/{}", row.workspace, row.id), now_ms).await
}

/// Checkpoints that no worker would be offered any more, but the best one.
pub(super) async fn of_superseded(tx: &Tx, task: TaskId, now_ms: i64) -> Result<(), Error> {
    let rows = checkpoint::of_task(&**tx, task).await?;
    let best = rows.iter().find(|row| row.best != 0).map(|row| row.id.as_str());
    for row in rows.iter().skip(RESUME_POINTS).filter(|row| Some(row.id.as_str()) != best) {
        tx.run("DELETE FROM checkpoints WHERE id = $1", [row.id.clone().into()]).await?;
        leave(tx, &row.prefix, now_ms).await?;
    }
    Ok(())
}

/// Folders whose time has come.
pub(crate) async fn due(db: &impl Sql, now_ms: i64) -> Result<Vec<String>, Error> {
    let sql = "SELECT prefix FROM garbage WHERE after_ms <= $1 ORDER BY after_ms LIMIT 64";
    let folders: Vec<Folder> = all(db, sql, [now_ms.into()]).await?;
    Ok(folders.into_iter().map(|folder| folder.prefix).collect())
}

/// Folders at or below this one that a checkpoint, an artifact or a model stands behind.
pub(crate) async fn alive(db: &impl Sql, prefix: &str) -> Result<Vec<String>, Error> {
    let below = "substr(prefix, 1, length($1)) = $1";
    let tables = ["checkpoints", "artifacts", "models"];
    let sql = tables.map(|table| format!("SELECT prefix FROM {table} WHERE {below}")).join(" UNION ");
    let folders: Vec<Folder> = all(db, &sql, [prefix.into()]).await?;
    Ok(folders.into_iter().map(|folder| folder.prefix).collect())
}

/// The folder is gone.
pub(crate) async fn forget(tx: &Tx, prefix: &str) -> Result<(), Error> {
    tx.run("DELETE FROM garbage WHERE prefix = $1", [prefix.into()]).await?;
    Ok(())
}
