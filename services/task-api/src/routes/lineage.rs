//! Where a model comes from, and what was found of it on the way: every model it stands on, with the task that made it and
//! the evaluations that scored it.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::{TaskKind, TaskSpec},
    task::TaskState,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::model_view::{Model, view};
use crate::{
    App, Error,
    http::{Caller, Page, Problem, id},
    models::{self, ModelRow},
    store::{TaskRow, from_json},
    tasks,
};

/// Models of one lineage.
const LONGEST: usize = 64;
/// Evaluations that are told of one model.
const MOST_EVALUATIONS: u64 = 20;

/// A model of a lineage, with the task that made it and the evaluations that scored it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ancestor {
    #[serde(flatten)]
    model: Model,
    made_by: Option<MadeBy>,
    /// The newest first, at most 20.
    evaluations: Vec<ScoredBy>,
}

/// The task that made a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeBy {
    id: String,
    name: String,
    #[schema(value_type = TaskKind)]
    kind: String,
    #[schema(value_type = TaskSpec)]
    spec: Value,
    /// The task that its own model was taken from, such as the evaluation that a compilation followed.
    #[schema(value_type = Option<TaskId>)]
    from_task: Value,
}

/// An evaluation of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScoredBy {
    id: String,
    name: String,
    #[schema(value_type = TaskState)]
    state: String,
    /// The task that the model was taken from, where the evaluation named it so.
    #[schema(value_type = Option<TaskId>)]
    from_task: Value,
}

/// Where the model comes from: itself first, then its base, and so on, each with the task that made it and the evaluations
/// that scored it.
#[utoipa::path(tag = "models", responses((status = 200, body = Page<Ancestor>), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}/lineage")]
pub(crate) async fn lineage(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let db = app.store.read();
    let model = models::readable(db, caller.workspace, id(&path, "model")?).await?;
    let mut chain = Vec::new();
    for model in models::ancestry(db, caller.workspace, model, LONGEST).await? {
        chain.push(ancestor(&app, caller.workspace, &model).await?);
    }
    Ok(HttpResponse::Ok().json(Page::whole(chain)))
}

async fn ancestor(app: &App, workspace: WorkspaceId, model: &ModelRow) -> Result<Ancestor, Error> {
    let db = app.store.read();
    let task = match model.task.as_deref().and_then(|task| task.parse().ok()) {
        Some(task) => TaskRow::find_in(db, workspace, task).await.ok(),
        None => None,
    };
    let made_by = task.map(|task| {
        let spec = spec_of(&task);
        MadeBy { id: task.id, name: task.name, kind: task.kind, from_task: spec["from_task"].clone(), spec }
    });
    let scored = tasks::evaluations_of(db, workspace, &model.id, MOST_EVALUATIONS).await?;
    let evaluations = scored
        .into_iter()
        .map(|task| ScoredBy {
            from_task: spec_of(&task)["from_task"].clone(),
            id: task.id,
            name: task.name,
            state: task.state,
        })
        .collect();
    Ok(Ancestor { model: view(model)?, made_by, evaluations })
}

fn spec_of(task: &TaskRow) -> Value {
    from_json(&task.spec, "task specification").unwrap_or(Value::Null)
}
