//! A lease is let go, or a task that nobody holds ends: what is common to every ending.

use anneal_artifacts::Prefix;
use anneal_contracts::event::{Artifact, Failure, TaskEvent, TaskFinished};
use anneal_domain::task::TaskState;
use anneal_store::{Sql, Tx};
use serde_json::{Map, Value};

use super::{checkpoint, checkpoint_evaluation, kept_model, record};
use crate::{
    Error, discarded,
    store::{TaskRow, to_json},
};

/// What an ending knows beyond its state.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    pub(super) failure: Option<Failure>,
    pub(super) figures: Map<String, Value>,
    pub(super) artifacts: Vec<Artifact>,
}

/// Lets the lease go; the epoch counts as ended.
pub(super) fn release(row: &mut TaskRow, now_ms: i64) {
    row.worker = None;
    row.claim_request = None;
    row.lease_until_ms = 0;
    row.ended_epoch = row.epoch;
    row.updated_at_ms = now_ms;
}

/// Puts the row into `paused` or a terminal state and appends the fact. A stopped training keeps the model of its last
/// checkpoint when the worker published none.
pub(super) async fn end(
    tx: &Tx,
    row: &mut TaskRow,
    state: TaskState,
    ending: Ending,
    now_ms: i64,
) -> Result<(), Error> {
    state.as_str().clone_into(&mut row.state);
    row.updated_at_ms = now_ms;
    if state.is_terminal() {
        row.finished_at_ms = Some(now_ms);
        leave_behind(tx, row, state).await?;
        checkpoint_evaluation::settle(tx, row, state, &ending.figures).await?;
    }
    let failure = ending.failure.clone().filter(|_| state == TaskState::Failed);
    row.failure = failure.as_ref().map(to_json).transpose()?;
    if !ending.figures.is_empty() {
        row.figures = to_json(&ending.figures)?;
    }
    if matches!(state, TaskState::Succeeded | TaskState::Stopped) {
        row.model = kept_model::register(tx, row, &ending, now_ms).await?;
    }
    let checkpoint = checkpoint::newest(&**tx, row.task()?, 1).await?.first().map(|point| point.checkpoint);
    let finished = TaskFinished {
        task: row.task()?,
        kind: row.spec()?.kind(),
        epoch: row.epoch(),
        state,
        failure,
        figures: ending.figures,
        artifacts: ending.artifacts,
        model: row
            .model
            .as_deref()
            .map(|id| id.parse().map_err(|_| Error::stored("model id")))
            .transpose()?,
        checkpoint: checkpoint.filter(|_| state == TaskState::Paused),
        running_ms: row.running_ms,
    };
    record::event(tx, row, TaskEvent::Finished(Box::new(finished)), now_ms).await
}

/// Lets go of what an ended task does not need: uploads that nobody made real, and all its work when it was cancelled.
async fn leave_behind(tx: &Tx, row: &TaskRow, state: TaskState) -> Result<(), Error> {
    if state == TaskState::Cancelled {
        for table in ["checkpoints", "artifacts"] {
            tx.run(&format!("DELETE FROM {table} WHERE task = $1"), [row.id.clone().into()]).await?;
        }
        checkpoint_evaluation::withdraw(tx, row).await?;
    }
    let task = Prefix::task(row.workspace()?, row.task()?);
    for part in ["checkpoint", "artifact"] {
        discarded::discard(tx, &task.join(part)?).await?;
    }
    Ok(())
}
