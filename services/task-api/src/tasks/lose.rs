//! A lease ends without an outcome: the task waits again, or what was asked for meanwhile comes true.

use anneal_contracts::event::{RequeueReason, TaskEvent, TaskRequeued};
use anneal_domain::{id::TaskId, task::TaskState};
use anneal_store::{Sql, Tx};

use super::{
    checkpoint,
    end::{self, Ending},
    record,
};
use crate::{Error, store::TaskRow};

/// Tasks whose lease has run out by this time.
pub(crate) async fn expired(db: &impl Sql, now_ms: i64) -> Result<Vec<TaskId>, Error> {
    TaskRow::ids_where(db, "lease_until_ms > 0 AND lease_until_ms <= $1", now_ms).await
}

/// Takes the lease away if it has still run out; whether it had.
pub(crate) async fn expire(tx: &Tx, task: TaskId) -> Result<bool, Error> {
    let now = tx.now_ms().await?;
    let mut row = TaskRow::lock(tx, task).await?;
    let (state, epoch) = (row.state()?, row.epoch);
    if !state.is_leased() || row.lease_until_ms > now {
        return Ok(false);
    }
    requeue(tx, &mut row, RequeueReason::LeaseExpired, now).await?;
    row.save(tx, state, epoch).await?;
    Ok(true)
}

/// Ends the epoch without an outcome; the caller saves the row.
pub(super) async fn requeue(
    tx: &Tx,
    row: &mut TaskRow,
    reason: RequeueReason,
    now_ms: i64,
) -> Result<(), Error> {
    let next = row.state()?.lease_lost()?;
    let kept_ms = checkpoint::kept_ms(&**tx, row.task()?, row.epoch).await?;
    end::release(row, now_ms);
    next.as_str().clone_into(&mut row.state);
    row.stage = None;
    let requeued = TaskRequeued {
        task: row.task()?,
        epoch: row.epoch(),
        reason,
        state: next,
        kept_ms: kept_ms.min(row.running_ms),
        charged_ms: row.running_ms,
    };
    record::event(tx, row, TaskEvent::Requeued(requeued), now_ms).await?;
    if next == TaskState::Queued {
        record::dispatch(tx, row, now_ms).await
    } else {
        end::end(tx, row, next, Ending::default(), now_ms).await
    }
}
