//! Removing a task that has ended, with everything that only it stands behind, objects included. Its models and its bill stay.

use anneal_artifacts::Prefix;
use anneal_domain::id::{TaskId, WorkspaceId};
use anneal_store::{Sql, Tx};

use super::{checkpoint_evaluation, query};
use crate::{Error, discarded, store::TaskRow};

/// Removes an ended task; one that has not ended is a conflict.
pub(crate) async fn delete(tx: &Tx, workspace: WorkspaceId, task: TaskId) -> Result<(), Error> {
    let row = TaskRow::lock_in(tx, workspace, task).await?;
    let state = row.state()?;
    if !state.is_terminal() {
        return Err(Error::conflict(format!(
            "a {} task cannot be deleted: cancel or stop it first",
            state.as_str()
        )));
    }
    if let Some(by) = query::rescored_by(tx, workspace, &row.id).await? {
        return Err(Error::conflict(format!("the answers are scored again by {by}: end that first")));
    }
    if let Some(by) = checkpoint_evaluation::under_way(tx, workspace, &row.id).await? {
        return Err(Error::conflict(format!("a checkpoint is scored by {by}: end that first")));
    }
    checkpoint_evaluation::delete(tx, &row.id).await?;
    let tables = [
        "stages",
        "checkpoints",
        "finishes",
        "artifacts",
        "epochs",
        "metrics",
        "logs",
        "progress",
        "stage_progress",
        "event_log",
    ];
    for table in tables {
        tx.run(&format!("DELETE FROM {table} WHERE task = $1"), [row.id.clone().into()]).await?;
    }
    tx.run("DELETE FROM tasks WHERE id = $1", [row.id.into()]).await?;
    discarded::discard(tx, &Prefix::task(workspace, task)).await
}
