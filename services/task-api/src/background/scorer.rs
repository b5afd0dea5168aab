//! Makes evaluations of committed checkpoints into tasks, where their training wants them scored.
//!
//! What is wanted is a row that the checkpoint's own transaction wrote, with the id of the task that it will be: whoever is
//! killed here, the next look makes the same task under the same hold, once.

use std::time::Duration;

use anneal_bus::RequestError;
use anneal_contracts::{
    rpc::{Done, PlaceHold, PlaceHoldReply, ReleaseHold},
    subject::rpc,
};
use anneal_domain::{
    Name,
    spec::{EvaluationSpec, TaskSpec},
};
use anneal_runtime::{CancellationToken, fail};

use super::repeat::repeat;
use crate::{
    App, Error, models,
    store::TaskRow,
    tasks::{self, NewTask, Resolved, WantedEvaluation},
};

/// Characters of the training's name that its evaluations are named after.
const NAME: usize = 100;

/// Looks every `sweep_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let period = Duration::from_millis(app.config.sweep_ms.max(10));
    repeat(period, stop, "checkpoints to be scored", || sweep(&app)).await
}

async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.store.now_ms().await?;
    for wanted in tasks::due_evaluations(app.store.read(), now).await? {
        // One that cannot be made holds up no other.
        if let Err(error) = make(app, &wanted).await {
            tracing::warn!(%error, training = wanted.training, step = wanted.step, "its evaluation waits");
            app.transaction(move |tx| async move { tasks::postpone_evaluation(&tx, &wanted).await }).await?;
        }
    }
    Ok(())
}

/// Makes the task, or notes why it can never be made.
async fn make(app: &App, wanted: &WantedEvaluation) -> Result<(), Error> {
    let training = TaskRow::find(app.store.read(), wanted.training()?).await?;
    let workspace = training.workspace()?;
    let spec = match spec_of(app, &training, wanted).await {
        Err(Error::NotFound(what)) => return give_up(app, wanted, format!("the {what} is gone")).await,
        spec => TaskSpec::Evaluation(spec?),
    };
    let resolved = match tasks::resolve(app.store.read(), workspace, &spec).await? {
        Ok(resolved) => resolved,
        Err(errors) => {
            let errors: Vec<String> =
                errors.iter().map(|wrong| format!("{}: {}", wrong.field, wrong.message)).collect();
            return give_up(app, wanted, errors.join("; ")).await;
        }
    };
    let Some(hold) = hold(app, &training, wanted, &spec, &resolved).await? else { return Ok(()) };
    fail::point("scorer.before_commit");
    let new = NewTask {
        id: wanted.task()?,
        workspace,
        name: name_of(&training, wanted.step)?,
        description: String::new(),
        spec,
        resolved,
        hold,
        trace: training.trace().child(),
        created_by: training.created_by.clone(),
    };
    let asked = wanted.clone();
    let made = app.transaction(move |tx| async move { tasks::make_evaluation(&tx, &asked, new).await }).await;
    fail::point("scorer.after_commit");
    match made {
        Ok(row) => {
            tracing::info!(training = wanted.training, step = wanted.step, task = row.id, "to be scored");
            Ok(())
        }
        Err(error) => {
            let release = ReleaseHold { task: wanted.task()? };
            app.bus.request::<_, Done>(rpc::RELEASE_HOLD, training.trace(), &release).await?;
            Err(error)
        }
    }
}

async fn spec_of(app: &App, training: &TaskRow, wanted: &WantedEvaluation) -> Result<EvaluationSpec, Error> {
    let TaskSpec::Training(spec) = training.spec()? else { return Err(Error::stored("training")) };
    let evaluation = spec.checkpoint_evaluation.as_ref().ok_or(Error::stored("checkpoint evaluation"))?;
    let base = models::readable(app.store.read(), training.workspace()?, spec.model).await?;
    let checkpoint = match &wanted.checkpoint {
        Some(id) => Some((training.task()?, id.parse().map_err(|_| Error::stored("checkpoint id"))?)),
        None => None,
    };
    Ok(evaluation.of(&spec, base.named_source(), checkpoint))
}

/// Billing's hold; none where this task's id was used up, and it gets another one.
async fn hold(
    app: &App,
    training: &TaskRow,
    wanted: &WantedEvaluation,
    spec: &TaskSpec,
    resolved: &Resolved,
) -> Result<Option<PlaceHoldReply>, Error> {
    let quote = tasks::estimate(training.workspace()?, spec, &resolved.estimate);
    let ask = PlaceHold { task: wanted.task()?, quote };
    match app.bus.request(rpc::PLACE_HOLD, training.trace(), &ask).await {
        Ok(hold) => Ok(Some(hold)),
        // A look that died after its hold: billing gave it back meanwhile.
        Err(RequestError::Refused(refusal)) if refusal.code == "closed" => {
            let wanted = wanted.clone();
            app.transaction(move |tx| async move { tasks::rename_evaluation(&tx, &wanted).await }).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn give_up(app: &App, wanted: &WantedEvaluation, why: String) -> Result<(), Error> {
    tracing::warn!(training = wanted.training, step = wanted.step, why, "a checkpoint cannot be scored");
    let wanted = wanted.clone();
    app.transaction(move |tx| async move { tasks::give_up_evaluation(&tx, &wanted, &why).await }).await
}

fn name_of(training: &TaskRow, step: i64) -> Result<Name, Error> {
    let of: String = training.name.chars().take(NAME).collect();
    Name::try_from(format!("{of} · step {step}")).map_err(|_| Error::stored("task name"))
}
