//! Importing, listing and deleting models.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use anneal_domain::{
    Name,
    id::{ModelId, TaskId},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    model_view::{Model, ModelOrigin, view},
    once::Once,
};
use crate::{
    App, Error,
    access::Role,
    http::{Caller, Page, Problem, Query, Raw, cursor_of, id, limit_of, parse},
    models::{self, ModelRow},
};

/// A model to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateModel {
    name: Name,
    source: Source,
}

/// Where an uploaded model comes from.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Source {
    /// The platform's own, for every workspace: admins of the first workspace only.
    Builtin,
    /// A user's own.
    Imported,
}

/// Begins an import: files follow by `PUT`, then `complete`.
#[utoipa::path(tag = "models", request_body = CreateModel, responses((status = 201, body = Model), (status = 403, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/models")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let once = Once::of(&app, &caller, "models", &body.0).await?;
    if let Some(known) = once.known("model")? {
        let row = models::find(app.store.read(), caller.workspace, known).await?;
        return Ok(HttpResponse::Created().json(view(&row)?));
    }
    let form: CreateModel = parse(&body.0)?;
    let source = match form.source {
        Source::Builtin => {
            caller.need_operator()?;
            "builtin"
        }
        Source::Imported => "imported",
    };
    let workspace = caller.workspace;
    let made = app.transaction(move |tx| async move {
        let row = ModelRow::uploading(workspace, &form.name, source, tx.now_ms().await?);
        once.remember(&tx, &row.id).await?;
        models::insert(&tx, &row).await?;
        Ok(row)
    });
    Ok(HttpResponse::Created().json(view(&made.await?)?))
}

/// Checks the uploaded files and makes the model usable; what is corrupt, unsafe or unknown is named by file.
#[utoipa::path(tag = "models", responses((status = 200, body = Model), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/models/{id}/complete")]
pub(crate) async fn complete(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let model: ModelId = id(&path, "model")?;
    let row = models::find(app.store.read(), caller.workspace, model).await?;
    caller.need(Role::Member)?;
    if row.state == "ready" {
        return Ok(HttpResponse::Ok().json(view(&row)?));
    }
    let files = models::files(app.store.read(), &row).await?;
    if files.is_empty() {
        return Err(Error::field(
            "files",
            "no file was uploaded: PUT them to /api/v1/models/{id}/files/{path}",
        ));
    }
    let done = models::complete(&app.objects, &row.root()?, files).await?;
    let workspace = caller.workspace;
    let row = app
        .transaction(move |tx| async move { models::make_ready(&tx, workspace, model, done).await })
        .await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}

/// Which models are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelFilter {
    source: Option<ModelOrigin>,
    /// Made by this task.
    task: Option<TaskId>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Models that the workspace may use, newest first: its own, and the platform's.
#[utoipa::path(tag = "models", params(ModelFilter), responses((status = 200, body = Page<Model>)))]
#[get("/api/v1/models")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<ModelFilter>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(filter.limit)?;
    let wanted = models::Filter {
        source: filter.source.map(ModelOrigin::as_str),
        task: filter.task,
        before: cursor_of(filter.cursor.as_deref())?,
    };
    let rows = models::list(app.store.read(), caller.workspace, &wanted, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| view(&row))?))
}

/// A model.
#[utoipa::path(tag = "models", responses((status = 200, body = Model), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = models::readable(app.store.read(), caller.workspace, id(&path, "model")?).await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}

/// Deletes a model that nothing stands on.
#[utoipa::path(tag = "models", responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/models/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let model: ModelId = id(&path, "model")?;
    let workspace = caller.workspace;
    models::find(app.store.read(), workspace, model).await?;
    caller.need(Role::Member)?;
    app.transaction(move |tx| async move { models::delete(&tx, workspace, model).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
