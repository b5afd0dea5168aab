//! A wanted evaluation becomes a task, or it is noted why it cannot.

use anneal_contracts::rpc::InputFolder;
use anneal_domain::{id::TaskId, task::TaskState};
use anneal_store::{Sql, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Wanted, row::set};
use crate::{
    Error,
    store::{TaskRow, for_update, from_json, one},
    tasks::{NewTask, Resolved, checkpoint, create, still_there},
};

/// A look at one that could not be made is not repeated sooner.
const AGAIN_MS: i64 = 30_000;

/// The fact of a training that holds [`Frozen`].
pub(in crate::tasks) const FACT: &str = "checkpoint_evaluation";

/// The datasets as they were when the training was created: every point of a curve is scored on the same rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::tasks) struct Frozen {
    pub(in crate::tasks) inputs: Vec<InputFolder>,
    pub(in crate::tasks) facts: Map<String, Value>,
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
    checkpoint::forget_superseded(tx, wanted.training()?).await
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
