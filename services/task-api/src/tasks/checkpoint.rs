//! Checkpoints: an upload becomes real here and nowhere else, and one that turns out to be damaged is set back.

use anneal_artifacts::Prefix;
use anneal_contracts::{
    event::{CheckpointCommitted, TaskEvent},
    rpc::{CommitCheckpoint, Done, RejectCheckpoint, ResumePoint},
};
use anneal_domain::id::TaskId;
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;

use super::{checkpoint_evaluation, record};
use crate::{
    Error, discarded, projections,
    store::{TaskRow, all, one},
};

/// Committed checkpoints that are kept, and offered to the next worker, newest first.
pub(super) const RESUME_POINTS: usize = 3;

/// A committed checkpoint.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct CheckpointRow {
    pub(crate) id: String,
    pub(crate) task: String,
    pub(crate) epoch: i64,
    pub(crate) step: i64,
    pub(crate) prefix: String,
    pub(crate) manifest_sha256: String,
    pub(crate) size_bytes: i64,
    pub(crate) running_ms: i64,
    pub(crate) best: i64,
    pub(crate) created_at_ms: i64,
    /// A worker could not go on from it.
    pub(crate) rejected: i64,
}

/// Makes an uploaded checkpoint real. Committing it twice is committing it once; a stale epoch is fenced.
pub(crate) async fn commit(tx: &Tx, commit: &CommitCheckpoint) -> Result<Done, Error> {
    let now = tx.now_ms().await?;
    let mut row = TaskRow::lock_held(tx, commit.task, commit.epoch, commit.worker, now).await?;
    check_prefix(&row, &commit.prefix)?;
    let sql = "SELECT * FROM checkpoints WHERE id = $1";
    if let Some(known) = one::<CheckpointRow>(&**tx, sql, [commit.checkpoint.to_string().into()]).await? {
        let same = known.task == row.id && known.prefix == commit.prefix;
        return if same { Ok(Done {}) } else { Err(Error::conflict("another checkpoint has this id")) };
    }
    let running_ms = commit.running_ms.clamp(0, now.saturating_sub(row.claimed_at_ms).max(0));
    tx.run(
        "INSERT INTO checkpoints (id, task, epoch, step, prefix, manifest_sha256, size_bytes, running_ms, best,
           created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            commit.checkpoint.to_string().into(),
            row.id.clone().into(),
            row.epoch.into(),
            i64::try_from(commit.step).unwrap_or(i64::MAX).into(),
            commit.prefix.clone().into(),
            commit.manifest_sha256.clone().into(),
            i64::try_from(commit.size_bytes).unwrap_or(i64::MAX).into(),
            running_ms.into(),
            i64::from(commit.best).into(),
            now.into(),
        ],
    )
    .await?;
    let (state, epoch) = (row.state()?, row.epoch);
    row.updated_at_ms = now;
    let committed = CheckpointCommitted {
        task: commit.task,
        epoch: commit.epoch,
        checkpoint: commit.checkpoint,
        step: commit.step,
        running_ms,
    };
    record::event(tx, &mut row, TaskEvent::CheckpointCommitted(committed), now).await?;
    row.save(tx, state, epoch).await?;
    checkpoint_evaluation::want_checkpoint(tx, &row, commit.step, commit.checkpoint).await?;
    forget_superseded(tx, commit.task).await?;
    Ok(Done {})
}

/// Lets go of checkpoints that nobody goes on from: all but the newest ones, the best one, and those still to be scored.
pub(super) async fn forget_superseded(tx: &Tx, task: TaskId) -> Result<(), Error> {
    let rows = of_task(&**tx, task).await?;
    let best = rows.iter().position(|row| row.best != 0);
    for (place, row) in rows.iter().enumerate().skip(RESUME_POINTS) {
        if Some(place) == best || checkpoint_evaluation::is_awaited(tx, &row.id).await? {
            continue;
        }
        tx.run("DELETE FROM checkpoints WHERE id = $1", [row.id.clone().into()]).await?;
        let prefix = Prefix::parse(&row.prefix).map_err(|_| Error::stored("prefix"))?;
        discarded::discard(tx, &prefix).await?;
    }
    Ok(())
}

/// What a worker names lies in its task's folder, and is spelt plainly.
pub(super) fn check_prefix(row: &TaskRow, prefix: &str) -> Result<(), Error> {
    let own = format!("{}/task/{}/", row.workspace, row.id);
    if anneal_artifacts::Prefix::parse(prefix).is_ok() && prefix.starts_with(&own) {
        return Ok(());
    }
    Err(Error::field("prefix", "lies outside the task's folder"))
}

/// Takes note that a checkpoint cannot be gone on from: the epoch goes on from the one before. A stale epoch is fenced.
pub(crate) async fn reject(tx: &Tx, reject: &RejectCheckpoint) -> Result<Done, Error> {
    let now = tx.now_ms().await?;
    let row = TaskRow::lock_held(tx, reject.task, reject.epoch, reject.worker, now).await?;
    tracing::error!(task = row.id, checkpoint = %reject.checkpoint, reason = reject.reason, "a checkpoint is damaged");
    tx.run(
        "UPDATE checkpoints SET rejected = 1 WHERE id = $1 AND task = $2",
        [reject.checkpoint.to_string().into(), row.id.clone().into()],
    )
    .await?;
    begin_epoch(tx, &row).await?;
    Ok(Done {})
}

/// The row's epoch goes on after the newest usable checkpoint.
pub(super) async fn begin_epoch(tx: &Tx, row: &TaskRow) -> Result<(), Error> {
    let usable = usable(&**tx, row.task()?).await?;
    projections::begin_epoch(tx, &row.id, row.epoch, usable.map_or(-1, |kept| kept.step)).await
}

/// Every committed checkpoint, newest first: a later epoch's come before those it left behind, and damaged ones last.
pub(crate) async fn of_task(db: &impl Sql, task: TaskId) -> Result<Vec<CheckpointRow>, Error> {
    let sql = "SELECT * FROM checkpoints WHERE task = $1
               ORDER BY rejected, epoch DESC, step DESC, created_at_ms DESC, id DESC";
    all(db, sql, [task.to_string().into()]).await
}

/// The newest that is not known to be damaged.
pub(super) async fn usable(db: &impl Sql, task: TaskId) -> Result<Option<CheckpointRow>, Error> {
    Ok(of_task(db, task).await?.into_iter().next().filter(|row| row.rejected == 0))
}

/// Where to go on from, newest first.
pub(super) async fn newest(db: &impl Sql, task: TaskId, most: usize) -> Result<Vec<ResumePoint>, Error> {
    let rows = of_task(db, task).await?;
    rows.iter().take(most).map(resume_point).collect()
}

fn resume_point(row: &CheckpointRow) -> Result<ResumePoint, Error> {
    Ok(ResumePoint {
        checkpoint: row.id.parse().map_err(|_| Error::stored("checkpoint id"))?,
        step: row.step.unsigned_abs(),
        prefix: row.prefix.clone(),
        manifest_sha256: row.manifest_sha256.clone(),
    })
}

/// Running time of this epoch that a checkpoint keeps.
pub(super) async fn kept_ms(db: &impl Sql, task: TaskId, epoch: i64) -> Result<i64, Error> {
    let rows = of_task(db, task).await?;
    Ok(rows.iter().filter(|row| row.epoch == epoch).map(|row| row.running_ms).max().unwrap_or(0))
}
