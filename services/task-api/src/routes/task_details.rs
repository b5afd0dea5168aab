//! What is known of one task: stages, metrics, checkpoints, events, bill.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_contracts::{
    rpc::{BillReply, BillRequest},
    subject::rpc,
};
use anneal_domain::id::TaskId;
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{billing::bill_view, events::EventRow};
use crate::{
    App, Error,
    http::{Caller, Page, Problem, Query, id, time},
    store::{TaskRow, all, places},
    tasks,
};

/// The task of the caller's workspace.
pub(super) async fn task_of(app: &App, caller: &Caller, path: &str) -> Result<(TaskId, TaskRow), Error> {
    let task = id(path, "task")?;
    Ok((task, TaskRow::find_in(app.store.read(), caller.workspace, task).await?))
}

/// Stages of the task, the latest attempt's beginning and end of each.
#[utoipa::path(tag = "tasks", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/stages")]
pub(crate) async fn stages(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    #[derive(FromQueryResult)]
    struct Change {
        epoch: i64,
        stage: String,
        state: String,
        at_ms: i64,
    }
    let (task, row) = task_of(&app, &caller, &path).await?;
    let sql = "SELECT epoch, stage, state, at_ms FROM stages WHERE task = $1 ORDER BY epoch, seq";
    let changes: Vec<Change> = all(app.store.read(), sql, [task.to_string().into()]).await?;
    let mut stages: Vec<(i64, String, i64, Option<i64>)> = Vec::new();
    for change in changes {
        if change.state == "started" {
            stages.push((change.epoch, change.stage, change.at_ms, None));
        } else if let Some(open) =
            stages.iter_mut().rev().find(|stage| stage.0 == change.epoch && stage.1 == change.stage)
        {
            open.3 = Some(change.at_ms);
        }
    }
    let leased = row.state()?.is_leased();
    let view: Vec<Value> = stages
        .into_iter()
        .map(|(epoch, name, started, finished)| {
            let state = match finished {
                Some(_) => "finished",
                None if leased && epoch == row.epoch => "running",
                None => "interrupted",
            };
            json!({ "name": name, "state": state, "epoch": epoch, "started_at": time(started),
                    "finished_at": finished.map(time) })
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page::whole(view)))
}

/// Which points are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricFilter {
    /// Names, separated by commas; all when absent.
    names: Option<String>,
    /// Only later steps.
    after_step: Option<u64>,
}

/// Metric series by name: `[[step, value], …]`.
#[utoipa::path(tag = "tasks", params(MetricFilter), responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/metrics")]
pub(crate) async fn metrics(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<MetricFilter>,
) -> Result<HttpResponse, Error> {
    #[derive(FromQueryResult)]
    struct Point {
        name: String,
        step: i64,
        value: Option<f64>,
    }
    let (task, _) = task_of(&app, &caller, &path).await?;
    let after = filter.after_step.map_or(-1, |step| i64::try_from(step).unwrap_or(i64::MAX));
    let names: Vec<&str> =
        filter.names.as_deref().map(|names| names.split(',').take(64).collect()).unwrap_or_default();
    let mut sql = "SELECT name, step, value FROM metrics WHERE task = $1 AND step > $2".to_owned();
    let mut values: Vec<sea_orm::Value> = vec![task.to_string().into(), after.into()];
    if !names.is_empty() {
        sql = format!("{sql} AND name IN ({})", places(3, names.len()));
        values.extend(names.iter().map(|name| (*name).into()));
    }
    let points: Vec<Point> =
        all(app.store.read(), &format!("{sql} ORDER BY name, step LIMIT 200000"), values).await?;
    let mut series: BTreeMap<String, Vec<(i64, Option<f64>)>> = BTreeMap::new();
    for point in points {
        series.entry(point.name).or_default().push((point.step, point.value));
    }
    Ok(HttpResponse::Ok().json(json!({ "series": series })))
}

/// Committed checkpoints, newest first.
#[utoipa::path(tag = "tasks", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/checkpoints")]
pub(crate) async fn checkpoints(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let rows = tasks::checkpoints_of(app.store.read(), task).await?;
    let view: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            json!({ "id": row.id, "step": row.step, "epoch": row.epoch, "prefix": row.prefix,
                    "manifest_sha256": row.manifest_sha256, "size_bytes": row.size_bytes,
                    "best": row.best != 0, "created_at": time(row.created_at_ms) })
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page::whole(view)))
}

/// What the task cost.
#[utoipa::path(tag = "billing", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/bill")]
pub(crate) async fn bill(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let ask = BillRequest { workspace: caller.workspace, task };
    let reply: BillReply = app.bus.request(rpc::BILL, caller.trace, &ask).await?;
    Ok(HttpResponse::Ok().json(bill_view(&reply)))
}

/// Every fact about the task, in order.
#[utoipa::path(tag = "tasks", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/events")]
pub(crate) async fn events(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let sql = "SELECT * FROM event_log WHERE task = $1 ORDER BY id LIMIT 10000";
    let rows: Vec<EventRow> = all(app.store.read(), sql, [task.to_string().into()]).await?;
    let view: Vec<Value> = rows.iter().map(EventRow::view).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(Page::whole(view)))
}
