//! What leaves with a change of a task: facts, dispatches and usage, in the same transaction.

use anneal_contracts::{
    Envelope,
    command::DispatchTask,
    event::{AnyTaskEvent, TaskEvent},
    subject,
    usage::UsageReported,
};
use anneal_domain::{
    Microcredits,
    id::{EventId, TaskId},
    task::TaskState,
};
use anneal_runtime::clock::rfc3339;
use anneal_store::{
    Tx,
    outbox::{self, OutboxMessage},
};

use crate::{Error, store::TaskRow};

/// The `ce-source` of everything this service says.
pub(crate) const SOURCE: &str = "/anneal/task-api";

/// Appends a fact about the task and counts it; the row is saved by the caller.
pub(super) async fn event(tx: &Tx, row: &mut TaskRow, event: TaskEvent, now_ms: i64) -> Result<(), Error> {
    row.event_seq += 1;
    let envelope = envelope(row, event.ce_type(), row.event_seq.unsigned_abs(), now_ms)?;
    let subject = subject::event(row.workspace()?, row.task()?);
    outbox::append(tx, OutboxMessage::new(subject, &envelope, &AnyTaskEvent::from(event))?).await?;
    Ok(())
}

/// Appends an invitation to claim the task; the row is saved by the caller.
pub(super) async fn dispatch(tx: &Tx, row: &mut TaskRow, now_ms: i64) -> Result<(), Error> {
    let spec = row.spec()?;
    let (kind, pool) = (spec.kind(), spec.pool());
    let command = DispatchTask { task: row.task()?, workspace: row.workspace()?, kind, pool };
    let envelope = envelope(row, DispatchTask::TYPE, 0, now_ms)?;
    row.dispatched_at_ms = now_ms;
    outbox::append(tx, OutboxMessage::new(subject::dispatch(kind, pool), &envelope, &command)?).await?;
    Ok(())
}

/// Appends the epoch's running time so far.
pub(super) async fn usage(tx: &Tx, row: &TaskRow, last: bool, now_ms: i64) -> Result<(), Error> {
    let spec = row.spec()?;
    let report = UsageReported {
        task: row.task()?,
        kind: spec.kind(),
        pool: spec.pool(),
        epoch: row.epoch(),
        seq: row.usage_seq.unsigned_abs(),
        running_ms: row.running_ms,
        rate_per_hour: Microcredits(row.rate_per_hour),
        last,
    };
    let envelope = envelope(row, UsageReported::TYPE, report.seq, now_ms)?;
    let subject = subject::usage(row.workspace()?, row.task()?);
    outbox::append(tx, OutboxMessage::new(subject, &envelope, &report)?).await?;
    Ok(())
}

fn envelope(row: &TaskRow, kind: &str, seq: u64, now_ms: i64) -> Result<Envelope, Error> {
    Ok(Envelope {
        id: EventId::new(),
        kind: kind.to_owned(),
        source: SOURCE.to_owned(),
        subject: row.id.clone(),
        time: rfc3339(now_ms),
        workspace: row.workspace()?,
        epoch: row.epoch(),
        seq,
        trace: row.trace().child(),
    })
}

/// Dispatches a task again that still waits since before this time; whether it did.
pub(crate) async fn dispatch_again(tx: &Tx, task: TaskId, before_ms: i64) -> Result<bool, Error> {
    let mut row = TaskRow::lock(tx, task).await?;
    let (state, epoch) = (row.state()?, row.epoch);
    if state != TaskState::Queued || row.dispatched_at_ms >= before_ms {
        return Ok(false);
    }
    let now = tx.now_ms().await?;
    dispatch(tx, &mut row, now).await?;
    row.save(tx, state, epoch).await?;
    Ok(true)
}
