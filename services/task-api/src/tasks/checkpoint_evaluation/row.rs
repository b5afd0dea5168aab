//! What is wanted, as it is stored.

use anneal_domain::id::TaskId;
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;

use crate::{
    Error,
    store::{all, like},
};

/// A wanted evaluation of a checkpoint, or of the model before the first step.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Wanted {
    pub(crate) training: String,
    pub(crate) step: i64,
    /// None before the first step.
    pub(crate) checkpoint: Option<String>,
    /// The task that it is, or will be.
    pub(crate) task: String,
    /// `wanted`, `made`, `scored`, `failed` or `withdrawn`.
    pub(crate) state: String,
    pub(crate) failure: Option<String>,
}

impl Wanted {
    /// Id of the training.
    pub(crate) fn training(&self) -> Result<TaskId, Error> {
        self.training.parse().map_err(|_| Error::stored("task id"))
    }

    /// Id of the evaluation.
    pub(crate) fn task(&self) -> Result<TaskId, Error> {
        self.task.parse().map_err(|_| Error::stored("task id"))
    }
}

/// Those that are to be made into tasks now, the earliest steps first; a paused training waits with them.
pub(crate) async fn due(db: &impl Sql, now_ms: i64) -> Result<Vec<Wanted>, Error> {
    let sql = "SELECT e.* FROM checkpoint_evaluations e JOIN tasks t ON t.id = e.training
               WHERE e.state = 'wanted' AND e.look_after_ms <= $1
                 AND t.state NOT IN ('pausing', 'paused', 'cancelling', 'cancelled')
               ORDER BY e.training, e.step LIMIT 64";
    all(db, sql, [now_ms.into()]).await
}

/// All of a training, in the order of the steps.
pub(crate) async fn of_training(db: &impl Sql, training: TaskId) -> Result<Vec<Wanted>, Error> {
    let sql = "SELECT * FROM checkpoint_evaluations WHERE training = $1 ORDER BY step";
    all(db, sql, [training.to_string().into()]).await
}

/// Whether a checkpoint is still to be scored.
pub(in crate::tasks) async fn is_awaited(tx: &Tx, checkpoint: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 AS found FROM checkpoint_evaluations WHERE checkpoint = $1 AND state = 'wanted'";
    if tx.row(sql, [checkpoint.into()]).await?.is_some() {
        return Ok(true);
    }
    let sql = "SELECT 1 AS found FROM tasks WHERE finished_at_ms IS NULL AND kind = 'evaluation'
                 AND spec LIKE $1 ESCAPE '\\' LIMIT 1";
    let named = like(&format!("\"checkpoint\":\"{checkpoint}\""));
    Ok(tx.row(sql, [named.into()]).await?.is_some())
}

/// Notes how far it is.
pub(super) async fn set(tx: &Tx, wanted: &Wanted, state: &str, failure: Option<&str>) -> Result<(), Error> {
    tx.run(
        "UPDATE checkpoint_evaluations SET state = $1, failure = $2 WHERE training = $3 AND step = $4 AND task = $5",
        [
            state.into(),
            failure.map(str::to_owned).into(),
            wanted.training.clone().into(),
            wanted.step.into(),
            wanted.task.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// A deleted training leaves no row behind.
pub(in crate::tasks) async fn delete(tx: &Tx, training: &str) -> Result<(), Error> {
    tx.run("DELETE FROM checkpoint_evaluations WHERE training = $1", [training.into()]).await?;
    Ok(())
}
