//! A worker takes the lease: the one place where an epoch begins.

use anneal_contracts::{
    event::{TaskClaimed, TaskEvent},
    rpc::{ClaimReply, ClaimTask, ClaimedTask, ResumePoint},
};
use anneal_domain::Microcredits;
use anneal_store::Tx;

use super::{checkpoint, record};
use crate::{
    Error,
    store::{TaskRow, from_json},
};

/// Gives the lease of a queued task to the caller. A claim that is answered twice is one claim.
pub(crate) async fn claim(tx: &Tx, claim: &ClaimTask, lease_ms: i64) -> Result<ClaimReply, Error> {
    let now = tx.now_ms().await?;
    let mut row = match TaskRow::lock(tx, claim.task).await {
        Err(Error::NotFound(_)) => return Ok(ClaimReply::NotQueued),
        other => other?,
    };
    let worker = claim.worker.to_string();
    let request = claim.request.to_string();
    if row.claim_request.as_deref() == Some(&request) && row.is_held_by(row.epoch(), &worker, now)? {
        return won(tx, &row, lease_ms).await;
    }
    let (state, epoch) = (row.state()?, row.epoch);
    let Ok(running) = state.claim() else { return Ok(ClaimReply::NotQueued) };
    running.as_str().clone_into(&mut row.state);
    row.epoch += 1;
    row.worker = Some(worker);
    row.claim_request = Some(request);
    row.claimed_at_ms = now;
    row.lease_until_ms = now + lease_ms;
    row.running_ms = 0;
    row.usage_seq = 0;
    row.stage = None;
    row.started_at_ms.get_or_insert(now);
    row.updated_at_ms = now;
    let resume_from = checkpoint::newest(&**tx, claim.task, 1).await?.first().map(|point| point.checkpoint);
    let claimed = TaskClaimed {
        task: claim.task,
        worker: claim.worker,
        epoch: row.epoch(),
        rate_per_hour: Microcredits(row.rate_per_hour),
        resume_from,
    };
    record::event(tx, &mut row, TaskEvent::Claimed(claimed), now).await?;
    row.save(tx, state, epoch).await?;
    checkpoint::begin_epoch(tx, &row).await?;
    won(tx, &row, lease_ms).await
}

async fn won(tx: &Tx, row: &TaskRow, lease_ms: i64) -> Result<ClaimReply, Error> {
    let resume: Vec<ResumePoint> = checkpoint::newest(&**tx, row.task()?, checkpoint::RESUME_POINTS).await?;
    Ok(ClaimReply::Won(Box::new(ClaimedTask {
        task: row.task()?,
        workspace: row.workspace()?,
        epoch: row.epoch(),
        lease_ms: lease_ms.unsigned_abs(),
        spec: row.spec()?,
        inputs: from_json(&row.inputs, "task inputs")?,
        resume,
        rate_per_hour: Microcredits(row.rate_per_hour),
        facts: from_json(&row.facts, "task facts")?,
        failed_attempts: u32::try_from(row.failed_attempts).unwrap_or(u32::MAX),
        traceparent: row.traceparent.clone(),
    })))
}
