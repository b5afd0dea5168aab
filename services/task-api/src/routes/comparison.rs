//! Two evaluations, compared: what changed, whether it is more than chance, and why the two may differ.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_comparison::Comparison;
use anneal_domain::{
    id::{ModelId, TaskId},
    spec::{EvaluationSpec, TaskSpec},
    task::TaskState,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{artifacts::of_role, task_details::task_of};
use crate::{
    App, Error, evaluations,
    http::{Caller, Problem, Query, time},
    models,
    store::TaskRow,
};

/// The other evaluation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Other {
    /// The evaluation that this one is compared with.
    #[param(required = true)]
    with: Option<TaskId>,
}

/// Two evaluations, compared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparedEvaluations {
    /// The one in the path.
    a: ComparedEvaluation,
    /// The one it is compared with.
    b: ComparedEvaluation,
    #[serde(flatten)]
    comparison: Comparison,
}

/// One of the two.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparedEvaluation {
    id: String,
    name: String,
    #[schema(value_type = ModelId)]
    model: String,
    /// Absent when the model was deleted.
    model_name: Option<String>,
    finished_at: Option<String>,
}

/// Holds an evaluation against another, sample by sample: paired differences with an interval, what turned right or wrong
/// with McNemar's test, and the settings, data and prompts that differ.
#[utoipa::path(tag = "tasks", params(Other), responses((status = 200, body = ComparedEvaluations),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[get("/api/v1/tasks/{id}/comparison")]
pub(crate) async fn comparison(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    other: Query<Other>,
) -> Result<HttpResponse, Error> {
    let (first, a) = task_of(&app, &caller, &path).await?;
    let second = other.with.ok_or_else(|| Error::field("with", "is required: the other evaluation"))?;
    let b = TaskRow::find_in(app.store.read(), caller.workspace, second).await?;
    let (a, b) = (view(&app, &caller, a, "id").await?, view(&app, &caller, b, "with").await?);
    let folder = async |task| of_role(&app, task, "results").await?.prefix();
    let comparison = evaluations::compare(&app, &folder(first).await?, &folder(second).await?).await?;
    Ok(HttpResponse::Ok().json(ComparedEvaluations { a, b, comparison }))
}

/// An evaluation that succeeded; anything else is refused by the field that named it.
async fn view(app: &App, caller: &Caller, row: TaskRow, field: &str) -> Result<ComparedEvaluation, Error> {
    let EvaluationSpec { model, .. } = match row.spec()? {
        TaskSpec::Evaluation(spec) => spec,
        other => {
            let kind = other.kind().as_str();
            return Err(Error::field(field, format!("is a {kind} task: only evaluations are compared")));
        }
    };
    if row.state()? != TaskState::Succeeded {
        let (id, state) = (row.id, row.state);
        return Err(Error::conflict(format!(
            "evaluation {id} is {state}: only evaluations that succeeded are compared"
        )));
    }
    let known = models::readable(app.store.read(), caller.workspace, model).await;
    Ok(ComparedEvaluation {
        id: row.id,
        name: row.name,
        model: model.to_string(),
        model_name: known.ok().map(|model| model.name),
        finished_at: row.finished_at_ms.map(time),
    })
}
