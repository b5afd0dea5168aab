//! The model of a task: the one that it made, or the one that it scored. A specification may name its model so.

use anneal_domain::{
    FieldError,
    id::{ModelId, TaskId, WorkspaceId},
    spec::{ModelReference, OfTask, TaskSpec},
    task::TaskState,
};
use anneal_store::Sql;
use serde_json::{Value, json};

use crate::{Error, models, store::TaskRow};

const MODEL: &str = "spec.model";

/// Puts the model of the task in the place of `model: {"task": …}` of an evaluation or a compilation, and the task beside
/// it; the model's source too, where it is left out. What is wrong with it is returned.
pub(crate) async fn take_model(
    db: &impl Sql,
    workspace: WorkspaceId,
    spec: &mut Value,
) -> Result<Option<FieldError>, Error> {
    let Some(fields) = spec.as_object_mut() else { return Ok(None) };
    let kind = fields.get("kind").and_then(Value::as_str);
    let named = fields.get("model").filter(|model| model.is_object());
    let (Some("evaluation" | "compilation"), Some(named)) = (kind, named) else { return Ok(None) };
    let found = match serde_json::from_value(named.clone()) {
        Ok(ModelReference::OfTask(OfTask { task })) => {
            found(db, workspace, task).await?.map(|(model, source)| (task, model, source))
        }
        _ => Err("must be a model's id, or {\"task\": a task's id}".to_owned()),
    };
    match found {
        Ok((task, model, source)) => {
            fields.insert("model".to_owned(), json!(model));
            fields.entry("model_source").or_insert_with(|| json!(source));
            fields.insert("from_task".to_owned(), json!(task));
            Ok(None)
        }
        Err(why) => {
            // That there is no source either only follows.
            fields.entry("model_source").or_insert_with(|| json!("trained"));
            Ok(Some(FieldError::new(MODEL, why)))
        }
    }
}

async fn found(
    db: &impl Sql,
    workspace: WorkspaceId,
    task: TaskId,
) -> Result<Result<(ModelId, Value), String>, Error> {
    let model = match of_task(db, workspace, task).await? {
        Ok(model) => model,
        Err(why) => return Ok(Err(why)),
    };
    match models::readable(db, workspace, model).await {
        Ok(row) => Ok(Ok((model, json!(row.named_source())))),
        Err(Error::NotFound(_)) => Ok(Err(format!("the model {model} of {task} was deleted"))),
        Err(error) => Err(error),
    }
}

/// The model of a task; or why it has none.
pub(super) async fn of_task(
    db: &impl Sql,
    workspace: WorkspaceId,
    task: TaskId,
) -> Result<Result<ModelId, String>, Error> {
    let row = match TaskRow::find_in(db, workspace, task).await {
        Err(Error::NotFound(_)) => return Ok(Err(format!("there is no task {task} in this workspace"))),
        row => row?,
    };
    if let TaskSpec::Evaluation(spec) = row.spec()? {
        if let Some(training) = spec.from_task.filter(|_| spec.checkpoint.is_some()) {
            return Ok(Err(format!("{task} scored a checkpoint of {training}: take the model of that")));
        }
        let scored = row.state()? == TaskState::Succeeded;
        let why =
            || format!("{task} is {}: only an evaluation that succeeded has scored its model", row.state);
        return Ok(if scored { Ok(spec.model) } else { Err(why()) });
    }
    match &row.model {
        Some(model) => Ok(Ok(model.parse().map_err(|_| Error::stored("model id"))?)),
        None => Ok(Err(format!("{task} is {} and has made no model", row.state))),
    }
}
