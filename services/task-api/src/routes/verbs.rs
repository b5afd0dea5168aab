//! Pause, resume, stop, cancel.

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use anneal_domain::{id::TaskId, task::Verb};

use super::task_view::{Task, view_of};
use crate::{
    App, Error,
    access::Role,
    http::{Caller, Problem, id},
    store::TaskRow,
    tasks,
};

async fn ask(app: &App, caller: &Caller, path: &str, verb: Verb) -> Result<HttpResponse, Error> {
    let task: TaskId = id(path, "task")?;
    let workspace = caller.workspace;
    TaskRow::find_in(app.store.read(), workspace, task).await?;
    caller.need(Role::Member)?;
    let asked = app.transaction(move |tx| async move {
        let row = TaskRow::lock_in(&tx, workspace, task).await?;
        tasks::request(&tx, row, verb, "").await
    });
    let row = asked.await?;
    Ok(HttpResponse::Accepted().json(view_of(app.store.read(), row).await?))
}

/// Checkpoints and gives the machine back; resumable.
#[utoipa::path(tag = "tasks", responses((status = 202, body = Task), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/api/v1/tasks/{id}/pause")]
pub(crate) async fn pause(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    ask(&app, &caller, &path, Verb::Pause).await
}

/// Queues a paused task again.
#[utoipa::path(tag = "tasks", responses((status = 202, body = Task), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/api/v1/tasks/{id}/resume")]
pub(crate) async fn resume(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    ask(&app, &caller, &path, Verb::Resume).await
}

/// Ends now and keeps a usable model of what was done.
#[utoipa::path(tag = "tasks", responses((status = 202, body = Task), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/api/v1/tasks/{id}/stop")]
pub(crate) async fn stop(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    ask(&app, &caller, &path, Verb::Stop).await
}

/// Ends now and discards.
#[utoipa::path(tag = "tasks", responses((status = 202, body = Task), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/api/v1/tasks/{id}/cancel")]
pub(crate) async fn cancel(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    ask(&app, &caller, &path, Verb::Cancel).await
}
