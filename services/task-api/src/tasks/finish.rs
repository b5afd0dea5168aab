//! A worker's last word.

use anneal_contracts::{
    event::{Artifact, RequeueReason},
    rpc::{Done, FinishTask},
};
use anneal_domain::task::TaskState;
use anneal_store::{Sql, Tx};

use super::{
    MOST_FAILED_ATTEMPTS,
    checkpoint::check_prefix,
    end::{self, Ending},
    lose, record,
    renew::watermark,
};
use crate::{Error, store::TaskRow};

/// Ends the lease with an outcome: final usage, artifacts, the model and the fact, in this transaction. A repeated finish of
/// the same epoch changes nothing; a stale epoch is fenced.
pub(crate) async fn finish(tx: &Tx, finish: &FinishTask) -> Result<Done, Error> {
    let now = tx.now_ms().await?;
    let mut row = match TaskRow::lock_held(tx, finish.task, finish.epoch, finish.worker, now).await {
        Err(Error::Fenced) if is_repeated(tx, finish).await? => return Ok(Done {}),
        other => other?,
    };
    for artifact in &finish.artifacts {
        check_prefix(&row, &artifact.prefix)?;
    }
    let (state, epoch) = (row.state()?, row.epoch);
    let seq = finish.seq.max(row.usage_seq.unsigned_abs() + 1);
    watermark(&mut row, seq, finish.running_ms, now);
    record::usage(tx, &row, true, now).await?;
    note_finisher(tx, finish).await?;
    let ending = Ending {
        failure: finish.failure.clone(),
        figures: finish.figures.clone(),
        artifacts: finish.artifacts.clone(),
    };
    if finish.outcome == TaskState::Queued {
        again(tx, &mut row, finish, ending, now).await?;
    } else {
        let ended = state.finish(finish.outcome)?;
        let ending = if ended == TaskState::Cancelled { Ending::default() } else { ending };
        keep_artifacts(tx, &row, &ending.artifacts).await?;
        end::release(&mut row, now);
        end::end(tx, &mut row, ended, ending, now).await?;
    }
    row.save(tx, state, epoch).await?;
    Ok(Done {})
}

/// The worker gave up this attempt: another one, unless too many failed.
async fn again(
    tx: &Tx,
    row: &mut TaskRow,
    finish: &FinishTask,
    ending: Ending,
    now: i64,
) -> Result<(), Error> {
    let reason = finish.requeue.unwrap_or(RequeueReason::EngineFailed);
    if reason == RequeueReason::EngineFailed {
        row.failed_attempts += 1;
        if row.failed_attempts >= MOST_FAILED_ATTEMPTS && row.state()? == TaskState::Running {
            keep_artifacts(tx, row, &finish.artifacts).await?;
            end::release(row, now);
            return end::end(tx, row, TaskState::Failed, ending, now).await;
        }
    }
    lose::requeue(tx, row, reason, now).await
}

/// One folder a role: that of the latest epoch that published one.
async fn keep_artifacts(tx: &Tx, row: &TaskRow, artifacts: &[Artifact]) -> Result<(), Error> {
    for artifact in artifacts {
        tx.run(
            "INSERT INTO artifacts (task, role, epoch, prefix, manifest_sha256, size_bytes)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (task, role) DO UPDATE SET epoch = excluded.epoch, prefix = excluded.prefix,
               manifest_sha256 = excluded.manifest_sha256, size_bytes = excluded.size_bytes",
            [
                row.id.clone().into(),
                artifact.role.clone().into(),
                row.epoch.into(),
                artifact.prefix.clone().into(),
                artifact.manifest_sha256.clone().into(),
                i64::try_from(artifact.size_bytes).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// Notes who finished the epoch, so that its finish can be told from a stranger's when the answer was lost.
async fn note_finisher(tx: &Tx, finish: &FinishTask) -> Result<(), Error> {
    tx.run(
        "INSERT INTO finishes (task, epoch, worker) VALUES ($1, $2, $3)",
        [finish.task.to_string().into(), epoch_of(finish).into(), finish.worker.to_string().into()],
    )
    .await?;
    Ok(())
}

async fn is_repeated(tx: &Tx, finish: &FinishTask) -> Result<bool, Error> {
    let found = tx
        .row(
            "SELECT 1 AS found FROM finishes WHERE task = $1 AND epoch = $2 AND worker = $3",
            [finish.task.to_string().into(), epoch_of(finish).into(), finish.worker.to_string().into()],
        )
        .await?;
    Ok(found.is_some())
}

fn epoch_of(finish: &FinishTask) -> i64 {
    i64::try_from(finish.epoch).unwrap_or(i64::MAX)
}
