//! A task as the API shows it.

use std::collections::BTreeMap;

use anneal_domain::{
    spec::{TaskKind, TaskSpec},
    task::TaskState,
};
use anneal_store::Sql;
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Error,
    http::time,
    store::{TaskRow, all, from_json, places},
};

/// A task.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    id: String,
    workspace: String,
    #[schema(value_type = TaskKind)]
    kind: String,
    name: String,
    description: String,
    #[schema(value_type = TaskState)]
    state: String,
    /// What its worker is told: `run`, `pause`, `stop` or `cancel`.
    wanted: &'static str,
    #[schema(value_type = TaskSpec)]
    spec: Value,
    stage: Option<String>,
    progress: Option<Progress>,
    epoch: i64,
    #[schema(value_type = Option<Object>)]
    failure: Option<Value>,
    #[schema(value_type = Object)]
    figures: Value,
    model: Option<String>,
    held_microcredits: i64,
    rate_per_hour_microcredits: i64,
    created_at: String,
    updated_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    traceparent: String,
    created_by: String,
}

/// How far a task is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    stage: String,
    done: i64,
    total: i64,
    unit: String,
    percent: f64,
    eta_seconds: Option<f64>,
}

#[derive(FromQueryResult)]
struct ProgressRow {
    task: String,
    stage: String,
    done: i64,
    total: i64,
    unit: String,
    eta_seconds: Option<f64>,
}

/// Views of rows, in their order, each with its progress.
pub(crate) async fn views(db: &impl Sql, rows: Vec<TaskRow>) -> Result<Vec<Task>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT task, stage, done, total, unit, eta_seconds FROM progress WHERE task IN ({})",
        places(1, rows.len())
    );
    let ids: Vec<sea_orm::Value> = rows.iter().map(|row| row.id.clone().into()).collect();
    let found: Vec<ProgressRow> = all(db, &sql, ids).await?;
    let mut progress: BTreeMap<String, Progress> =
        found.into_iter().map(|row| (row.task.clone(), of_row(row))).collect();
    rows.into_iter().map(|row| view(progress.remove(&row.id), row)).collect()
}

/// The view of one row.
pub(crate) async fn view_of(db: &impl Sql, row: TaskRow) -> Result<Task, Error> {
    views(db, vec![row]).await?.pop().ok_or(Error::stored("task"))
}

fn of_row(row: ProgressRow) -> Progress {
    let percent =
        if row.total > 0 { (row.done as f64 * 100.0 / row.total as f64).clamp(0.0, 100.0) } else { 0.0 };
    Progress {
        stage: row.stage,
        done: row.done,
        total: row.total,
        unit: row.unit,
        percent,
        eta_seconds: row.eta_seconds,
    }
}

fn view(progress: Option<Progress>, row: TaskRow) -> Result<Task, Error> {
    let state = row.state()?;
    Ok(Task {
        wanted: match state {
            TaskState::Pausing => "pause",
            TaskState::Stopping => "stop",
            TaskState::Cancelling => "cancel",
            _ => "run",
        },
        spec: from_json(&row.spec, "task specification")?,
        failure: row.failure.as_deref().map(|text| from_json(text, "failure")).transpose()?,
        figures: from_json(&row.figures, "figures")?,
        progress: progress.filter(|_| state != TaskState::Queued),
        id: row.id,
        workspace: row.workspace,
        kind: row.kind,
        name: row.name,
        description: row.description,
        state: row.state,
        stage: row.stage,
        epoch: row.epoch,
        model: row.model,
        held_microcredits: row.held,
        rate_per_hour_microcredits: row.rate_per_hour,
        created_at: time(row.created_at_ms),
        updated_at: time(row.updated_at_ms),
        started_at: row.started_at_ms.map(time),
        finished_at: row.finished_at_ms.map(time),
        traceparent: row.traceparent,
        created_by: row.created_by,
    })
}
