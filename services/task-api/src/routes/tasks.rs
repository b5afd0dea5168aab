//! Creating, quoting, listing, showing, cloning and deleting tasks.

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use anneal_bus::RequestError;
use anneal_contracts::{
    rpc::{Done, PlaceHold, PlaceHoldReply, QuoteReply, ReleaseHold},
    subject::rpc,
};
use anneal_domain::{
    FieldError, Name,
    id::TaskId,
    spec::{TaskKind, TaskSpec},
    task::TaskState,
};
use anneal_runtime::fail;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::task_view::{Task, view_of, views};
use crate::{
    App, Error,
    access::Role,
    http::{Caller, Page, Problem, Query, Raw, cursor_of, id, limit_of, read},
    store::{TaskRow, from_json},
    tasks::{self, IdempotencyKey, NewTask, Resolved},
};

/// Longest description.
const LONGEST_DESCRIPTION: usize = 4096;

/// A task to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTask {
    // Each is read apart from the others: one that is absent or wrong hides nothing that is wrong with another.
    #[serde(default)]
    #[schema(value_type = Name, required = true)]
    name: Value,
    /// At most 4096 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Value,
    #[serde(default)]
    #[schema(value_type = TaskSpec, required = true)]
    spec: Value,
}

/// What a task would cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quote {
    rate_per_hour_microcredits: i64,
    /// The cost of the shortest running time that is expected.
    low_microcredits: i64,
    /// The cost of the longest.
    high_microcredits: i64,
    /// What would be held at launch.
    hold_microcredits: i64,
    available_microcredits: i64,
    /// The shortest and the longest running time that is expected.
    #[schema(value_type = Vec<f64>)]
    expected_seconds: [f64; 2],
    warnings: Vec<String>,
}

struct Wanted {
    name: Name,
    description: String,
    spec: TaskSpec,
    resolved: Resolved,
}

/// Creates a task.
#[utoipa::path(tag = "tasks", request_body = CreateTask,
    responses((status = 202, body = Task), (status = 402, body = Problem), (status = 422, body = Problem)))]
#[post("/api/v1/tasks")]
pub(crate) async fn create(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    caller.need(Role::Member)?;
    let key = IdempotencyKey::new(caller.workspace, caller.idempotency_key.as_deref(), "tasks", &body.0)?;
    let app = app.get_ref().clone();
    // Detached: a client that leaves cannot part the hold from the commit.
    let made = anneal_runtime::tasks::spawn("create-task", async move {
        let row = create_once(&app, &caller, key, &body.0).await?;
        view_of(app.store.read(), row).await
    });
    let task = made
        .await
        .ok()
        .flatten()
        .ok_or_else(|| Error::Unavailable("the service is stopping".to_owned()))??;
    Ok(HttpResponse::Accepted().json(task))
}

async fn create_once(
    app: &App,
    caller: &Caller,
    key: Option<IdempotencyKey>,
    body: &[u8],
) -> Result<TaskRow, Error> {
    if let Some(row) = made_before(app, caller, key.as_ref()).await? {
        return Ok(row);
    }
    let wanted = check(app, caller, body).await?;
    let task = TaskId::new();
    let ask = tasks::estimate(caller.workspace, &wanted.spec, &wanted.resolved.estimate);
    let hold: PlaceHoldReply = app
        .bus
        .request(rpc::PLACE_HOLD, caller.trace, &PlaceHold { task, quote: ask })
        .await
        .map_err(cannot_pay)?;
    let new = NewTask {
        id: task,
        workspace: caller.workspace,
        name: wanted.name,
        description: wanted.description,
        spec: wanted.spec,
        resolved: wanted.resolved,
        hold,
        trace: caller.trace,
        created_by: caller.key.to_string(),
    };
    let remembered = key.clone();
    let committed = app
        .transaction(move |tx| async move {
            if let Some(key) = &remembered {
                tasks::remember(&tx, key, &task.to_string()).await?;
            }
            let new = tasks::still_there(&tx, new).await?;
            tasks::insert(&tx, new).await
        })
        .await;
    fail::point("api.after_commit");
    match committed {
        Ok(row) => Ok(row),
        Err(error) => {
            release(app, caller, task).await;
            // Another request of the same key may have won.
            made_before(app, caller, key.as_ref()).await?.ok_or(error)
        }
    }
}

async fn made_before(
    app: &App,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
) -> Result<Option<TaskRow>, Error> {
    let Some(known) = tasks::find_idempotent(app.store.read(), key).await? else { return Ok(None) };
    let task = known.parse().map_err(|_| Error::stored("task id"))?;
    TaskRow::find_in(app.store.read(), caller.workspace, task).await.map(Some)
}

/// Billing gives a hold back by itself when no task follows; this only does it sooner.
async fn release(app: &App, caller: &Caller, task: TaskId) {
    let released = app.bus.request::<_, Done>(rpc::RELEASE_HOLD, caller.trace, &ReleaseHold { task }).await;
    if let Err(error) = released {
        tracing::warn!(%task, %error, "a hold without a task could not be released now");
    }
}

fn cannot_pay(error: RequestError) -> Error {
    match error {
        RequestError::Refused(refusal) if refusal.code == "insufficient_balance" => {
            Error::InsufficientBalance(refusal.message)
        }
        other => other.into(),
    }
}

/// Checks everything a caller may not get wrong, and names all of it at once.
async fn check(app: &App, caller: &Caller, body: &[u8]) -> Result<Wanted, Error> {
    let (form, mut errors) = read::<CreateTask>(body)?;
    let Some(form) = form else { return Err(Error::Invalid(errors)) };
    let name = name_of(&form.name).map_err(|wrong| errors.push(wrong)).ok();
    let description = description_of(&form.description).map_err(|wrong| errors.push(wrong)).ok();
    let mut spec = form.spec;
    let model = tasks::take_model(app.store.read(), caller.workspace, &mut spec).await?;
    let mut wanted = tasks::read_spec(spec).after(model);
    let resolved = match &wanted.spec {
        Some(spec) => tasks::resolve(app.store.read(), caller.workspace, spec).await?,
        None => Err(Vec::new()),
    };
    let resolved = resolved.map_err(|wrong| wanted.note(wrong)).ok();
    errors.extend(wanted.errors);
    match (name, description, wanted.spec, resolved) {
        (Some(name), Some(description), Some(spec), Some(resolved)) if errors.is_empty() => {
            Ok(Wanted { name, description, spec, resolved })
        }
        _ => Err(Error::Invalid(errors)),
    }
}

fn name_of(value: &Value) -> Result<Name, FieldError> {
    let wrong = |message: &str| FieldError::new("name", message);
    match value {
        Value::Null => Err(wrong("is required: 1 to 128 characters")),
        Value::String(text) => Name::try_from(text.clone()).map_err(|error| wrong(&error.to_string())),
        _ => Err(wrong("must be text")),
    }
}

fn description_of(value: &Value) -> Result<String, FieldError> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.chars().count() <= LONGEST_DESCRIPTION && !text.contains('\0') => {
            Ok(text.clone())
        }
        _ => Err(FieldError::new("description", "must be text of at most 4096 characters")),
    }
}

/// What a task would cost; nothing is created.
#[utoipa::path(tag = "tasks", request_body = CreateTask, responses((status = 200, body = Quote), (status = 422, body = Problem)))]
#[post("/api/v1/tasks/quote")]
pub(crate) async fn quote(app: Data<App>, caller: Caller, body: Raw) -> Result<HttpResponse, Error> {
    let wanted = check(&app, &caller, &body.0).await?;
    let ask = tasks::estimate(caller.workspace, &wanted.spec, &wanted.resolved.estimate);
    let reply: QuoteReply = app.bus.request(rpc::QUOTE, caller.trace, &ask).await?;
    let mut warnings = Vec::new();
    if reply.hold > reply.available {
        warnings.push(format!(
            "the balance of {} credits does not cover the hold of {}: top up first",
            reply.available, reply.hold
        ));
    }
    if ask.free {
        warnings.push("evaluations of up to two datasets are free".to_owned());
    }
    Ok(HttpResponse::Ok().json(Quote {
        rate_per_hour_microcredits: reply.rate_per_hour.0,
        low_microcredits: reply.range[0].0,
        high_microcredits: reply.range[1].0,
        hold_microcredits: reply.hold.0,
        available_microcredits: reply.available.0,
        expected_seconds: ask.expected_ms.map(|ms| ms as f64 / 1000.0),
        warnings,
    }))
}

/// Which tasks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskFilter {
    kind: Option<TaskKind>,
    state: Option<TaskState>,
    /// Part of the name.
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Tasks, newest first.
#[utoipa::path(tag = "tasks", params(TaskFilter), responses((status = 200, body = Page<Task>)))]
#[get("/api/v1/tasks")]
pub(crate) async fn list(
    app: Data<App>,
    caller: Caller,
    filter: Query<TaskFilter>,
) -> Result<HttpResponse, Error> {
    let filter = filter.into_inner();
    let limit = limit_of(filter.limit)?;
    let before = cursor_of(filter.cursor.as_deref())?;
    let wanted = tasks::Filter { kind: filter.kind, state: filter.state, text: filter.q, before };
    let rows = tasks::list(app.store.read(), caller.workspace, &wanted, limit).await?;
    let page = Page::cut(rows, limit, |row| row.id.clone(), Ok)?;
    let data = views(app.store.read(), page.data).await?;
    Ok(HttpResponse::Ok().json(Page { data, has_more: page.has_more, next_cursor: page.next_cursor }))
}

/// A task.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Task), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}")]
pub(crate) async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let row = TaskRow::find_in(app.store.read(), caller.workspace, id(&path, "task")?).await?;
    Ok(HttpResponse::Ok().json(view_of(app.store.read(), row).await?))
}

/// Deletes a task that has ended.
#[utoipa::path(tag = "tasks", responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/api/v1/tasks/{id}")]
pub(crate) async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let task = id(&path, "task")?;
    caller.need(Role::Member)?;
    let workspace = caller.workspace;
    app.transaction(move |tx| async move { tasks::delete(&tx, workspace, task).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A form to create the same task again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Form {
    name: String,
    description: String,
    #[schema(value_type = TaskSpec)]
    spec: Value,
}

/// The form of a task, filled in; nothing is created.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Form), (status = 404, body = Problem)))]
#[post("/api/v1/tasks/{id}/clone")]
pub(crate) async fn clone_form(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let row = TaskRow::find_in(app.store.read(), caller.workspace, id(&path, "task")?).await?;
    let name: String = format!("{} (copy)", row.name.chars().take(120).collect::<String>());
    let spec = from_json(&row.spec, "task specification")?;
    Ok(HttpResponse::Ok().json(Form { name, description: row.description, spec }))
}
