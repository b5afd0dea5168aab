//! A worker keeps its lease and reports its running time.

use anneal_contracts::rpc::{RenewLease, RenewReply};
use anneal_domain::task::{TaskState, Wanted};
use anneal_store::Tx;

use super::record;
use crate::{Error, store::TaskRow};

/// Extends the lease and says what is wanted. A stale epoch is fenced and changes nothing.
pub(crate) async fn renew(tx: &Tx, renew: &RenewLease, lease_ms: i64) -> Result<RenewReply, Error> {
    let now = tx.now_ms().await?;
    let mut row = TaskRow::lock_held(tx, renew.task, renew.epoch, renew.worker, now).await?;
    let (state, epoch) = (row.state()?, row.epoch);
    // Never the later of the two: a clock that was set back would leave a lease that outlives its worker.
    row.lease_until_ms = now + lease_ms;
    if watermark(&mut row, renew.seq, renew.running_ms, now) {
        record::usage(tx, &row, false, now).await?;
    }
    row.save(tx, state, epoch).await?;
    Ok(RenewReply { wanted: wanted(state), lease_ms: lease_ms.unsigned_abs() })
}

/// Takes a usage report into the row when it is a new one: capped by the time since the claim, and never less than before.
pub(super) fn watermark(row: &mut TaskRow, seq: u64, running_ms: i64, now_ms: i64) -> bool {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    if seq <= row.usage_seq {
        return false;
    }
    row.usage_seq = seq;
    let most = now_ms.saturating_sub(row.claimed_at_ms).max(0);
    row.running_ms = row.running_ms.max(running_ms.clamp(0, most));
    true
}

const fn wanted(state: TaskState) -> Wanted {
    match state {
        TaskState::Pausing => Wanted::Pause,
        TaskState::Stopping => Wanted::Stop,
        TaskState::Cancelling => Wanted::Cancel,
        _ => Wanted::Run,
    }
}
