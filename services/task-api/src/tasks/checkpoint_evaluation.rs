//! The evaluations of a training's checkpoints: wanted in the transaction that commits the checkpoint, each made into a task of
//! its own once, and its scores put on the training's curves in the transaction that ends it.
//!
//! The evaluation is a task like any other: its leases, retries, verbs and bill are its own. A pause or a resumption of the
//! training is passed on to it; a cancelled training takes it along, and any other end leaves what is wanted to be scored.

use anneal_contracts::rpc::InputFolder;
use anneal_domain::{
    id::{CheckpointId, TaskId, WorkspaceId},
    spec::{TaskSpec, TrainingKind, benchmark_name},
    task::{TaskState, Verb},
};
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{NewTask, Resolved, checkpoint, create, still_there, verb};
use crate::{
    Error, projections,
    store::{TaskRow, all, for_update, from_json, one},
};

/// The fact of a training that holds [`Frozen`].
pub(super) const FACT: &str = "checkpoint_evaluation";
/// A look at one that could not be made is not repeated sooner.
const AGAIN_MS: i64 = 30_000;

/// The datasets as they were when the training was created: every point of a curve is scored on the same rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Frozen {
    pub(super) inputs: Vec<InputFolder>,
    pub(super) facts: Map<String, Value>,
}

/// A wanted evaluation of a checkpoint, or of the model before the first step.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Wanted {
    pub(crate) training: String,
    pub(crate) step: i64,
    /// None before the first step.
    pub(crate) checkpoint: Option<String>,
    /// The task that it is, or will be.
    pub(crate) task: String,
    /// `wanted`, `made`, `scored`, `failed` or `withdrawn`.
    pub(crate) state: String,
    pub(crate) failure: Option<String>,
}

impl Wanted {
    /// Id of the training.
    pub(crate) fn training(&self) -> Result<TaskId, Error> {
        self.training.parse().map_err(|_| Error::stored("task id"))
    }

    /// Id of the evaluation.
    pub(crate) fn task(&self) -> Result<TaskId, Error> {
        self.task.parse().map_err(|_| Error::stored("task id"))
    }
}

/// Notes what a new training wants before its first step.
pub(super) async fn want_first(tx: &Tx, training: &TaskRow) -> Result<(), Error> {
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
pub(super) async fn want_checkpoint(
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
async fn want(tx: &Tx, training: &str, step: i64, checkpoint: Option<String>) -> Result<(), Error> {
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

/// Those that are to be made into tasks now, the earliest steps first; a paused training waits with them.
pub(crate) async fn due(db: &impl Sql, now_ms: i64) -> Result<Vec<Wanted>, Error> {
    let sql = "SELECT e.* FROM checkpoint_evaluations e JOIN tasks t ON t.id = e.training
               WHERE e.state = 'wanted' AND e.look_after_ms <= $1
                 AND t.state NOT IN ('pausing', 'paused', 'cancelling', 'cancelled')
               ORDER BY e.training, e.step LIMIT 64";
    all(db, sql, [now_ms.into()]).await
}

/// All of a training, in the order of the steps.
pub(crate) async fn of_training(db: &impl Sql, training: TaskId) -> Result<Vec<Wanted>, Error> {
    let sql = "SELECT * FROM checkpoint_evaluations WHERE training = $1 ORDER BY step";
    all(db, sql, [training.to_string().into()]).await
}

/// Makes the wanted evaluation a task, on condition that it is still wanted.
pub(crate) async fn make(tx: &Tx, wanted: &Wanted, new: NewTask) -> Result<TaskRow, Error> {
    let training = TaskRow::lock(tx, wanted.training()?).await?;
    let sql = format!(
        "SELECT * FROM checkpoint_evaluations WHERE training = $1 AND step = $2 AND task = $3 AND state = 'wanted'{}",
        for_update(tx)
    );
    let values = [wanted.training.clone().into(), wanted.step.into(), wanted.task.clone().into()];
    let still = one::<Wanted>(&**tx, &sql, values).await?;
    if still.is_none() || matches!(training.state()?, TaskState::Pausing | TaskState::Paused) {
        return Err(Error::conflict("this evaluation is not wanted any more"));
    }
    let mut new = still_there(tx, new).await?;
    freeze(&mut new.resolved, &training)?;
    let row = create::insert(tx, new).await?;
    set(tx, wanted, "made", None).await?;
    Ok(row)
}

/// Puts the datasets of the training's own time in the place of today's.
fn freeze(resolved: &mut Resolved, training: &TaskRow) -> Result<(), Error> {
    let mut facts: Map<String, Value> = from_json(&training.facts, "task facts")?;
    let Some(frozen) = facts.remove(FACT) else { return Ok(()) };
    let Frozen { inputs, facts } =
        serde_json::from_value(frozen).map_err(|_| Error::stored("frozen datasets"))?;
    for folder in inputs {
        if let Some(input) = resolved.inputs.iter_mut().find(|input| input.role == folder.role) {
            *input = folder;
        }
    }
    resolved.facts.extend(facts);
    Ok(())
}

/// It cannot be made now: tried again later.
pub(crate) async fn postpone(tx: &Tx, wanted: &Wanted) -> Result<(), Error> {
    let later = tx.now_ms().await? + AGAIN_MS;
    tx.run(
        "UPDATE checkpoint_evaluations SET look_after_ms = $1 WHERE training = $2 AND step = $3 AND state = 'wanted'",
        [later.into(), wanted.training.clone().into(), wanted.step.into()],
    )
    .await?;
    Ok(())
}

/// It can never be made, such as one whose dataset was deleted; a task of another id may be, if billing knew this one.
pub(crate) async fn give_up(tx: &Tx, wanted: &Wanted, why: &str) -> Result<(), Error> {
    set(tx, wanted, "failed", Some(why)).await?;
    forget_checkpoints(tx, wanted.training()?).await
}

/// The task id is used up: another one.
pub(crate) async fn rename(tx: &Tx, wanted: &Wanted) -> Result<(), Error> {
    tx.run(
        "UPDATE checkpoint_evaluations SET task = $1 WHERE training = $2 AND step = $3 AND state = 'wanted'",
        [TaskId::new().to_string().into(), wanted.training.clone().into(), wanted.step.into()],
    )
    .await?;
    Ok(())
}

async fn set(tx: &Tx, wanted: &Wanted, state: &str, failure: Option<&str>) -> Result<(), Error> {
    tx.run(
        "UPDATE checkpoint_evaluations SET state = $1, failure = $2 WHERE training = $3 AND step = $4 AND task = $5",
        [
            state.into(),
            failure.map(str::to_owned).into(),
            wanted.training.clone().into(),
            wanted.step.into(),
            wanted.task.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// An evaluation ends: its scores become a point of the training's curves, and its checkpoint may go.
pub(super) async fn settle(
    tx: &Tx,
    row: &TaskRow,
    state: TaskState,
    figures: &Map<String, Value>,
) -> Result<(), Error> {
    let TaskSpec::Evaluation(spec) = row.spec()? else { return Ok(()) };
    let sql = "SELECT * FROM checkpoint_evaluations WHERE task = $1 AND state = 'made'";
    if let Some(wanted) = one::<Wanted>(&**tx, sql, [row.id.clone().into()]).await? {
        if state == TaskState::Succeeded {
            let points = points(&spec.datasets, figures);
            projections::put_scores(tx, &wanted.training, wanted.step, &points).await?;
            set(tx, &wanted, "scored", None).await?;
        } else {
            set(tx, &wanted, "failed", Some(&format!("its evaluation {} {}", row.id, state.as_str())))
                .await?;
            want_redone(tx, &wanted).await?;
        }
    }
    match spec.from_task.filter(|_| spec.checkpoint.is_some()) {
        Some(training) => forget_checkpoints(tx, training).await,
        None => Ok(()),
    }
}

/// The checkpoint may have been damaged and its step done again meanwhile: then that one is scored.
async fn want_redone(tx: &Tx, failed: &Wanted) -> Result<(), Error> {
    let kept = checkpoint::of_task(&**tx, failed.training()?).await?;
    let other = kept.into_iter().find(|kept| {
        kept.step == failed.step && kept.rejected == 0 && Some(&kept.id) != failed.checkpoint.as_ref()
    });
    match other.filter(|_| failed.checkpoint.is_some()) {
        Some(other) => want(tx, &failed.training, failed.step, Some(other.id)).await,
        None => Ok(()),
    }
}

async fn forget_checkpoints(tx: &Tx, training: TaskId) -> Result<(), Error> {
    checkpoint::forget_superseded(tx, training).await
}

/// `eval/<benchmark>/<metric>` of what was asked for; a filter that has a name stands behind the metric.
fn points(
    datasets: &[anneal_domain::spec::EvaluationDataset],
    figures: &Map<String, Value>,
) -> Vec<(String, f64)> {
    let mut points = Vec::new();
    for dataset in datasets {
        let own = match dataset.task {
            Some(_) => dataset.benchmark.clone(),
            None => benchmark_name(&dataset.benchmark),
        };
        let Some(name) = dataset.score_name(&own) else { continue };
        let scores = figures.get("scores").and_then(|scores| scores[&name].as_object());
        for (key, value) in scores.into_iter().flatten() {
            let (metric, filter) = key.split_once(',').unwrap_or((key, "none"));
            let Some(value) = value.as_f64().filter(|_| !metric.ends_with("_stderr")) else { continue };
            let filter = if filter == "none" { String::new() } else { format!(",{filter}") };
            points.push((format!("eval/{name}/{metric}{filter}"), value));
        }
    }
    points
}

/// Passes a pause or a resumption of the training on to its evaluations under way.
pub(super) async fn follow(tx: &Tx, training: &TaskRow, asked: Verb) -> Result<(), Error> {
    if !matches!(asked, Verb::Pause | Verb::Resume) {
        return Ok(());
    }
    ask_all(tx, &training.id, asked, "its training was asked to").await
}

/// A cancelled training takes its evaluations along.
pub(super) async fn withdraw(tx: &Tx, training: &TaskRow) -> Result<(), Error> {
    tx.run(
        "UPDATE checkpoint_evaluations SET state = 'withdrawn' WHERE training = $1 AND state = 'wanted'",
        [training.id.clone().into()],
    )
    .await?;
    ask_all(tx, &training.id, Verb::Cancel, "its training was cancelled").await
}

async fn ask_all(tx: &Tx, training: &str, asked: Verb, reason: &str) -> Result<(), Error> {
    let sql = "SELECT * FROM checkpoint_evaluations WHERE training = $1 AND state = 'made' ORDER BY step";
    let under_way: Vec<Wanted> = all(&**tx, sql, [training.into()]).await?;
    for wanted in under_way {
        let row = TaskRow::lock(tx, wanted.task()?).await?;
        if row.state()?.request(asked).is_ok() {
            Box::pin(verb::request(tx, row, asked, reason)).await?;
        }
    }
    Ok(())
}

/// The unfinished evaluation of one of the task's checkpoints.
pub(super) async fn under_way(
    tx: &Tx,
    workspace: WorkspaceId,
    training: &str,
) -> Result<Option<String>, Error> {
    let sql =
        "SELECT id FROM tasks WHERE workspace = $1 AND finished_at_ms IS NULL AND spec LIKE $2 ESCAPE '\\'
                 AND spec LIKE '%\"checkpoint\":\"%' LIMIT 1";
    let named = crate::store::like(&format!("\"from_task\":\"{training}\""));
    let found = tx.row(sql, [workspace.to_string().into(), named.into()]).await?;
    Ok(found.map(|row| row.try_get("", "id")).transpose()?)
}

/// Whether a checkpoint is still to be scored.
pub(super) async fn is_awaited(tx: &Tx, checkpoint: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 AS found FROM checkpoint_evaluations WHERE checkpoint = $1 AND state = 'wanted'";
    if tx.row(sql, [checkpoint.into()]).await?.is_some() {
        return Ok(true);
    }
    let sql = "SELECT 1 AS found FROM tasks WHERE finished_at_ms IS NULL AND kind = 'evaluation'
                 AND spec LIKE $1 ESCAPE '\\' LIMIT 1";
    let named = crate::store::like(&format!("\"checkpoint\":\"{checkpoint}\""));
    Ok(tx.row(sql, [named.into()]).await?.is_some())
}

/// A deleted training leaves no row behind.
pub(super) async fn delete(tx: &Tx, training: &str) -> Result<(), Error> {
    tx.run("DELETE FROM checkpoint_evaluations WHERE training = $1", [training.into()]).await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_domain::spec::EvaluationDataset;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_score_is_named_by_benchmark_and_metric() {
        let entry = |value: Value| serde_json::from_value::<EvaluationDataset>(value).unwrap();
        let dataset = "ds-00000000000000000000000000000002";
        let datasets = [
            entry(json!({"benchmark": "lambada", "dataset": dataset})),
            entry(json!({"benchmark": "gsm8k", "dataset": dataset, "alias": "sums"})),
        ];
        let figures = json!({"scores": {
            "lambada_openai": {"acc,none": 0.5, "acc_stderr,none": 0.1, "perplexity,none": 7.25},
            "sums": {"exact_match,strict-match": 0.25, "exact_match_stderr,strict-match": "N/A"},
            "another": {"acc,none": 1.0},
        }});
        let named = points(&datasets, figures.as_object().unwrap());
        let wanted = [
            ("eval/lambada_openai/acc", 0.5),
            ("eval/lambada_openai/perplexity", 7.25),
            ("eval/sums/exact_match,strict-match", 0.25),
        ];
        assert_eq!(named, wanted.map(|(name, value)| (name.to_owned(), value)));
    }
}
