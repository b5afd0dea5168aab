//! What is known of one task: metrics, checkpoints and their evaluations, events, bill.

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
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    billing_view::Bill,
    checkpoint_view::{Checkpoint, CheckpointScore},
    events::{EventRow, Fact},
};
use crate::{
    App, Error,
    http::{Caller, Page, Problem, Query, id},
    store::{TaskRow, all, places},
    tasks,
};

/// Points of one answer; at least as many as one step has series.
const LEAST_POINTS: usize = 1000;
const MOST_POINTS: usize = 200_000;
/// Facts of one page.
const MOST_FACTS: u32 = 10_000;
const DEFAULT_FACTS: u32 = 1000;

/// The task of the caller's workspace.
pub(super) async fn task_of(app: &App, caller: &Caller, path: &str) -> Result<(TaskId, TaskRow), Error> {
    let task = id(path, "task")?;
    Ok((task, TaskRow::find_in(app.store.read(), caller.workspace, task).await?))
}

/// Which points are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricFilter {
    /// Names, separated by commas; all when absent.
    names: Option<String>,
    /// Only later steps.
    after_step: Option<u64>,
    /// Points of one answer, 1000 to 200000.
    limit: Option<usize>,
}

/// What a task measured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Metrics {
    /// Points of each metric by its name, in the order of the steps; a value that is no number is null.
    series: BTreeMap<String, Vec<(i64, Option<f64>)>>,
    /// Whether there are more.
    has_more: bool,
    /// The last step of this part: the rest comes after it.
    next_after_step: Option<i64>,
}

/// Metric series by name: `[[step, value], …]`, in the order of the steps. Where `has_more` is true, the rest comes after
/// `next_after_step`.
#[utoipa::path(tag = "tasks", params(MetricFilter), responses((status = 200, body = Metrics), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/metrics")]
pub(crate) async fn metrics(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<MetricFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let after = filter.after_step.map_or(-1, |step| i64::try_from(step).unwrap_or(i64::MAX));
    let names: Vec<&str> =
        filter.names.as_deref().map(|names| names.split(',').take(64).collect()).unwrap_or_default();
    let limit = filter.limit.unwrap_or(MOST_POINTS);
    if !(LEAST_POINTS..=MOST_POINTS).contains(&limit) {
        return Err(Error::field("limit", "must be 1000 to 200000"));
    }
    let mut points = points(&app, task, after, &names, limit + 1).await?;
    let has_more = points.len() > limit;
    if has_more {
        whole_steps(&mut points);
    }
    let next_after_step = points.last().filter(|_| has_more).map(|point| point.step);
    let mut series: BTreeMap<String, Vec<(i64, Option<f64>)>> = BTreeMap::new();
    for point in points {
        series.entry(point.name).or_default().push((point.step, point.value));
    }
    Ok(HttpResponse::Ok().json(Metrics { series, has_more, next_after_step }))
}

#[derive(FromQueryResult)]
struct Point {
    name: String,
    step: i64,
    value: Option<f64>,
}

async fn points(
    app: &App,
    task: TaskId,
    after: i64,
    names: &[&str],
    most: usize,
) -> Result<Vec<Point>, Error> {
    let mut sql = "SELECT name, step, value FROM metrics WHERE task = $1 AND step > $2".to_owned();
    let mut values: Vec<sea_orm::Value> = vec![task.to_string().into(), after.into()];
    if !names.is_empty() {
        sql = format!("{sql} AND name IN ({})", places(3, names.len()));
        values.extend(names.iter().map(|name| (*name).into()));
    }
    all(app.store.read(), &format!("{sql} ORDER BY step, name LIMIT {most}"), values).await
}

/// Drops the last step, of which more may follow.
fn whole_steps(points: &mut Vec<Point>) {
    let last = points.last().map(|point| point.step);
    let whole = points.iter().position(|point| Some(point.step) == last).unwrap_or(0);
    // A step of more series than an answer holds cannot be told whole: it is cut rather than asked for again for ever.
    points.truncate(if whole == 0 { points.len().saturating_sub(1) } else { whole });
}

/// Committed checkpoints, newest first.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Page<Checkpoint>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/checkpoints")]
pub(crate) async fn checkpoints(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let rows = tasks::checkpoints_of(app.store.read(), task).await?;
    Ok(HttpResponse::Ok().json(Page::whole(rows.into_iter().map(Checkpoint::from).collect())))
}

/// The evaluations of a training's checkpoints, in the order of the steps: `wanted`, `made` (a task of its own), `scored`,
/// `failed` or `withdrawn`. Their scores are among the training's metrics, as `eval/<benchmark>/<metric>`.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Page<CheckpointScore>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/checkpoint-evaluations")]
pub(crate) async fn checkpoint_evaluations(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let rows = tasks::evaluations_of_training(app.store.read(), task).await?;
    let view: Result<Vec<CheckpointScore>, Error> = rows.into_iter().map(CheckpointScore::try_from).collect();
    Ok(HttpResponse::Ok().json(Page::whole(view?)))
}

/// What the task cost.
#[utoipa::path(tag = "billing", responses((status = 200, body = Bill), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/bill")]
pub(crate) async fn bill(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let ask = BillRequest { workspace: caller.workspace, task };
    let reply: BillReply = app.bus.request(rpc::BILL, caller.trace, &ask).await?;
    Ok(HttpResponse::Ok().json(Bill::from(reply)))
}

/// Which facts are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactFilter {
    /// 1 to 10000; 1000 when absent.
    limit: Option<u32>,
    /// `next_cursor` of a page.
    cursor: Option<String>,
}

/// Facts about the task, in order.
#[utoipa::path(tag = "tasks", params(FactFilter), responses((status = 200, body = Page<Fact>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/events")]
pub(crate) async fn events(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<FactFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let limit = filter.limit.unwrap_or(DEFAULT_FACTS);
    if !(1..=MOST_FACTS).contains(&limit) {
        return Err(Error::field("limit", "must be 1 to 10000"));
    }
    let after: i64 = match &filter.cursor {
        Some(text) => text.parse().map_err(|_| Error::field("cursor", "give `next_cursor` of a page"))?,
        None => 0,
    };
    let sql = format!(
        "SELECT * FROM event_log WHERE task = $1 AND id > $2 ORDER BY id LIMIT {}",
        u64::from(limit) + 1
    );
    let rows: Vec<EventRow> = all(app.store.read(), &sql, [task.to_string().into(), after.into()]).await?;
    let page = Page::cut(rows, limit, |row| row.id.to_string(), EventRow::view)?;
    Ok(HttpResponse::Ok().json(page))
}
