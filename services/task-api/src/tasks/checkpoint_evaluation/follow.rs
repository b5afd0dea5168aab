//! What is asked of a training is passed on to its evaluations.

use anneal_domain::{id::WorkspaceId, task::Verb};
use anneal_store::{Sql, Tx};

use super::Wanted;
use crate::{
    Error,
    store::{TaskRow, all, like},
    tasks::verb,
};

/// Passes a pause or a resumption of the training on to its evaluations under way.
pub(in crate::tasks) async fn follow(tx: &Tx, training: &TaskRow, asked: Verb) -> Result<(), Error> {
    if !matches!(asked, Verb::Pause | Verb::Resume) {
        return Ok(());
    }
    ask_all(tx, &training.id, asked, "its training was asked to").await
}

/// A cancelled training takes its evaluations along.
pub(in crate::tasks) async fn withdraw(tx: &Tx, training: &TaskRow) -> Result<(), Error> {
    tx.run(
        "UPDATE checkpoint_evaluations SET state = 'withdrawn' WHERE training = $1 AND state = 'wanted'",
        [training.id.clone().into()],
    )
    .await?;
    ask_all(tx, &training.id, Verb::Cancel, "its training was cancelled").await
}

async fn ask_all(tx: &Tx, training: &str, asked: Verb, reason: &str) -> Result<(), Error> {
    let sql = "SELECT * FROM checkpoint_evaluations WHERE training = $1 AND state = 'made' ORDER BY step";
    let under_way: Vec<Wanted> = all(&**tx, sql, [training.into()]).await?;
    for wanted in under_way {
        let row = TaskRow::lock(tx, wanted.task()?).await?;
        if row.state()?.request(asked).is_ok() {
            Box::pin(verb::request(tx, row, asked, reason)).await?;
        }
    }
    Ok(())
}

/// The unfinished evaluation of one of the task's checkpoints.
pub(in crate::tasks) async fn under_way(
    tx: &Tx,
    workspace: WorkspaceId,
    training: &str,
) -> Result<Option<String>, Error> {
    let sql =
        "SELECT id FROM tasks WHERE workspace = $1 AND finished_at_ms IS NULL AND spec LIKE $2 ESCAPE '\\'
                 AND spec LIKE '%\"checkpoint\":\"%' LIMIT 1";
    let named = like(&format!("\"from_task\":\"{training}\""));
    let found = tx.row(sql, [workspace.to_string().into(), named.into()]).await?;
    Ok(found.map(|row| row.try_get("", "id")).transpose()?)
}
