//! A new task's row, with its dispatch and its first fact.

use anneal_contracts::{
    Trace,
    event::{TaskEvent, TaskQueued},
    rpc::PlaceHoldReply,
};
use anneal_domain::{
    Microcredits, Name,
    id::{TaskId, WorkspaceId},
    spec::TaskSpec,
    task::TaskState,
};
use anneal_store::Tx;

use super::{Resolved, checkpoint_evaluation, record};
use crate::{
    Error,
    store::{TaskRow, to_json},
};

/// Everything a new task is made of; checked already.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub(crate) id: TaskId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) name: Name,
    pub(crate) description: String,
    pub(crate) spec: TaskSpec,
    pub(crate) resolved: Resolved,
    pub(crate) hold: PlaceHoldReply,
    pub(crate) trace: Trace,
    pub(crate) created_by: String,
}

/// Writes the row as `queued`; its fact and its dispatch leave with the transaction.
pub(crate) async fn insert(tx: &Tx, new: NewTask) -> Result<TaskRow, Error> {
    let now = tx.now_ms().await?;
    let mut row = row_of(new, now)?;
    let queued = queued(&row)?;
    record::event(tx, &mut row, queued, now).await?;
    record::dispatch(tx, &mut row, now).await?;
    row.insert(tx).await?;
    checkpoint_evaluation::want_first(tx, &row).await?;
    Ok(row)
}

fn row_of(new: NewTask, now: i64) -> Result<TaskRow, Error> {
    Ok(TaskRow {
        id: new.id.to_string(),
        workspace: new.workspace.to_string(),
        kind: new.spec.kind().as_str().to_owned(),
        pool: new.spec.pool().as_str().to_owned(),
        name: new.name.to_string(),
        description: new.description,
        state: TaskState::Queued.as_str().to_owned(),
        spec: to_json(&new.spec)?,
        inputs: to_json(&new.resolved.inputs)?,
        facts: to_json(&new.resolved.facts)?,
        epoch: 0,
        event_seq: 0,
        worker: None,
        claim_request: None,
        claimed_at_ms: 0,
        lease_until_ms: 0,
        running_ms: 0,
        usage_seq: 0,
        ended_epoch: 0,
        failed_attempts: 0,
        rate_per_hour: new.hold.rate_per_hour.0,
        hold: new.hold.hold.map(|hold| hold.to_string()),
        held: new.hold.held.0,
        stage: None,
        failure: None,
        figures: "{}".to_owned(),
        model: None,
        traceparent: new.trace.to_string(),
        created_by: new.created_by,
        created_at_ms: now,
        updated_at_ms: now,
        dispatched_at_ms: now,
        started_at_ms: None,
        finished_at_ms: None,
    })
}

/// The fact that the task waits for a worker.
pub(super) fn queued(row: &TaskRow) -> Result<TaskEvent, Error> {
    let spec = row.spec()?;
    Ok(TaskEvent::Queued(TaskQueued {
        task: row.task()?,
        kind: spec.kind(),
        pool: spec.pool(),
        name: row.name.clone(),
        hold: row.hold.as_deref().map(|id| id.parse().map_err(|_| Error::stored("hold id"))).transpose()?,
        held: Microcredits(row.held),
    }))
}
