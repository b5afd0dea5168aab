//! Wanting an evaluation, once for each step.

use anneal_domain::{
    id::{CheckpointId, TaskId},
    spec::{TaskSpec, TrainingKind},
};
use anneal_store::{Sql, Tx};

use crate::{Error, store::TaskRow};

/// Notes what a new training wants before its first step.
pub(in crate::tasks) async fn want_first(tx: &Tx, training: &TaskRow) -> Result<(), Error> {
    match training.spec()? {
        TaskSpec::Training(spec)
            if spec.checkpoint_evaluation.is_some() && spec.task_type != TrainingKind::Pretrain =>
        {
            want(tx, &training.id, 0, None).await
        }
        _ => Ok(()),
    }
}

/// Notes that a committed checkpoint is to be scored, where the training says so.
pub(in crate::tasks) async fn want_checkpoint(
    tx: &Tx,
    training: &TaskRow,
    step: u64,
    checkpoint: CheckpointId,
) -> Result<(), Error> {
    match training.spec()? {
        TaskSpec::Training(spec) if spec.checkpoint_evaluation.is_some() && spec.is_save_step(step) => {
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            want(tx, &training.id, step, Some(checkpoint.to_string())).await
        }
        _ => Ok(()),
    }
}

/// A step that is done again after a loss gives the same weights: what was scored, or is being scored, is not wanted twice.
pub(super) async fn want(
    tx: &Tx,
    training: &str,
    step: i64,
    checkpoint: Option<String>,
) -> Result<(), Error> {
    tx.run(
        "INSERT INTO checkpoint_evaluations (training, step, checkpoint, task, state, look_after_ms)
         VALUES ($1, $2, $3, $4, 'wanted', 0)
         ON CONFLICT (training, step) DO UPDATE SET checkpoint = excluded.checkpoint, task = excluded.task,
           state = 'wanted', failure = NULL, look_after_ms = 0
         WHERE checkpoint_evaluations.state IN ('wanted', 'failed')",
        [training.into(), step.into(), checkpoint.into(), TaskId::new().to_string().into()],
    )
    .await?;
    Ok(())
}
