//! Importing, listing and deleting models.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path, Query},
};
use anneal_artifacts::Prefix;
use anneal_domain::{Name, id::ModelId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, Error,
    access::Role,
    http::{Caller, Page, Problem, Raw, id, limit_of, parse, time},
    models::{self, ModelRow},
    store::from_json,
    tasks::{self, IdempotencyKey},
};

/// A model to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateModel {
    /// 1 to 128 characters.
    #[schema(value_type = String)]
    name: Name,
    source: Source,
}

/// Where an uploaded model comes from.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Source {
    /// Shipped with the platform (admins).
    Builtin,
    /// A user's own.
    Imported,
}

pub(super) fn view(row: &ModelRow) -> Result<Value, Error> {
    Ok(json!({
        "id": row.id, "name": row.name, "source": row.source, "format": row.format, "state": row.state,
        "architecture": row.architecture, "parameters": row.parameters, "size_bytes": row.size_bytes,
        "task": row.task, "base_model": row.base_model, "created_at": time(row.created_at_ms),
        "figures": from_json::<Value>(&row.figures, "figures")?,
    }))
}

/// Begins an import: files follow by `PUT`, then `complete`.
#[utoipa::path(tag = "models", request_body = CreateModel, responses((status = 201), (status = 422, body = Problem)))]
#[post("/api/v1/models")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let key = IdempotencyKey::new(caller.workspace, caller.idempotency_key.as_deref(), "models", &body.0)?;
    if let Some(known) = tasks::find_idempotent(app.store.read(), key.as_ref()).await? {
        let row = models::find(app.store.read(), caller.workspace, id(&known, "model")?).await?;
        return Ok(HttpResponse::Created().json(view(&row)?));
    }
    let form: CreateModel = parse(&body.0)?;
    let source = match form.source {
        Source::Builtin => {
            caller.need(Role::Admin)?;
            "builtin"
        }
        Source::Imported => "imported",
    };
    let (workspace, name) = (caller.workspace, form.name.to_string());
    let made = app.transaction(move |tx| async move {
        let model = ModelId::new();
        let row = ModelRow {
            id: model.to_string(),
            workspace: workspace.to_string(),
            name,
            source: source.to_owned(),
            format: "unknown".to_owned(),
            state: "uploading".to_owned(),
            architecture: None,
            parameters: None,
            size_bytes: 0,
            task: None,
            base_model: None,
            prefix: Prefix::model(workspace, model).as_str().to_owned(),
            manifest_sha256: None,
            figures: "{}".to_owned(),
            created_at_ms: tx.now_ms().await?,
        };
        if let Some(key) = &key {
            tasks::remember(&tx, key, &row.id).await?;
        }
        models::insert(&tx, &row).await?;
        Ok(row)
    });
    Ok(HttpResponse::Created().json(view(&made.await?)?))
}

/// Checks the uploaded files and makes the model usable; what is corrupt, unsafe or unknown is named by file.
#[utoipa::path(tag = "models", responses((status = 200), (status = 404, body = Problem), (status = 422, body = Problem)))]
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
    /// `builtin`, `imported`, `trained` or `compiled`.
    source: Option<String>,
    /// Made by this task.
    task: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Models, newest first.
#[utoipa::path(tag = "models", params(ModelFilter), responses((status = 200)))]
#[get("/api/v1/models")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<ModelFilter>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(filter.limit)?;
    let (source, task, cursor) = (filter.source.as_deref(), filter.task.as_deref(), filter.cursor.as_deref());
    let rows = models::list(app.store.read(), caller.workspace, source, task, cursor, limit).await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, limit, |row| row.id.clone(), |row| view(&row))?))
}

/// A model.
#[utoipa::path(tag = "models", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = models::find(app.store.read(), caller.workspace, id(&path, "model")?).await?;
    Ok(HttpResponse::Ok().json(view(&row)?))
}

/// Where the model comes from: itself first, then its base, and so on, each with the task that made it.
#[utoipa::path(tag = "models", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/models/{id}/lineage")]
pub(crate) async fn lineage(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let mut row = Some(models::find(app.store.read(), caller.workspace, id(&path, "model")?).await?);
    let mut chain = Vec::new();
    while let Some(model) = row.take() {
        let task = match model.task.as_deref().and_then(|task| task.parse().ok()) {
            Some(task) => crate::store::TaskRow::find_in(app.store.read(), caller.workspace, task).await.ok(),
            None => None,
        };
        let made_by = task.map(|task| {
            let spec: Value = from_json(&task.spec, "task specification").unwrap_or(Value::Null);
            json!({ "id": task.id, "name": task.name, "kind": task.kind, "spec": spec })
        });
        if let Some(base) =
            model.base_model.as_deref().and_then(|base| base.parse().ok()).filter(|_| chain.len() < 64)
        {
            row = models::find(app.store.read(), caller.workspace, base).await.ok();
        }
        let mut entry = view(&model)?;
        entry["made_by"] = made_by.unwrap_or(Value::Null);
        chain.push(entry);
    }
    Ok(HttpResponse::Ok().json(Page::whole(chain)))
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
