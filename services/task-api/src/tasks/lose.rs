//! A lease ends without an outcome: the task waits again, or what was asked for meanwhile comes true.

use anneal_contracts::event::{Failure, RequeueReason, TaskEvent, TaskRequeued};
use anneal_domain::{id::TaskId, task::TaskState};
use anneal_store::{Sql, Tx};

use super::{
    MOST_LOST_LEASES, checkpoint,
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

/// Tasks whose lease ends later than any that is given now: the clock was set back, and a dead worker's task would wait
/// until it is there again.
pub(crate) async fn too_long(db: &impl Sql, now_ms: i64, lease_ms: i64) -> Result<Vec<TaskId>, Error> {
    TaskRow::ids_where(db, "lease_until_ms > $1", now_ms + 2 * lease_ms).await
}

/// Gives such a lease the length of one that is given now; whether it was too long. The worker that holds it counts its own
/// time, and believes no longer than that.
pub(crate) async fn shorten(tx: &Tx, task: TaskId, lease_ms: i64) -> Result<bool, Error> {
    let now = tx.now_ms().await?;
    let mut row = TaskRow::lock(tx, task).await?;
    let (state, epoch) = (row.state()?, row.epoch);
    if row.lease_until_ms <= now + lease_ms {
        return Ok(false);
    }
    row.lease_until_ms = now + lease_ms;
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
    let mut next = row.state()?.lease_lost()?;
    let mut ending = Ending::default();
    if next == TaskState::Queued && reason == RequeueReason::LeaseExpired {
        let lost = lost_leases(tx, row).await?;
        if lost >= MOST_LOST_LEASES {
            next = TaskState::Failed;
            ending.failure = Some(given_up(lost));
        }
    }
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
        end::end(tx, row, next, ending, now_ms).await
    }
}

/// Leases since the last checkpoint that ended without a word of their worker, the current one included.
async fn lost_leases(tx: &Tx, row: &TaskRow) -> Result<i64, Error> {
    let checkpoints = checkpoint::of_task(&**tx, row.task()?).await?;
    let kept = checkpoints.iter().map(|kept| kept.epoch).max().unwrap_or(0);
    let sql = "SELECT COUNT(*) AS ended FROM finishes WHERE task = $1 AND epoch > $2";
    let found = tx.row(sql, [row.id.clone().into(), kept.into()]).await?;
    let ended: i64 = found.map(|row| row.try_get("", "ended")).transpose()?.unwrap_or(0);
    Ok(row.epoch - kept - ended)
}

fn given_up(lost: i64) -> Failure {
    Failure {
        code: "workers_lost".to_owned(),
        field: None,
        message: format!(
            "{lost} workers were lost while they ran this task, without a checkpoint in between: it may take more memory \
             than they have; it is not tried again"
        ),
    }
}
