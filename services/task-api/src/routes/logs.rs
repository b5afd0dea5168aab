//! The log of a task: read by parts, or followed live.

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Path},
};
use bytes::Bytes;
use futures::Stream;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{events, task_details::task_of};
use crate::{
    App, Error,
    http::{Caller, Problem, Query, time},
    store::{all, to_json},
    wakes::About,
};

const MOST_LINES: u32 = 10_000;
const DEFAULT_LINES: u32 = 1000;

/// Which lines are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFilter {
    /// One stage's lines only.
    stage: Option<String>,
    /// Only lines after this one.
    after: Option<i64>,
    /// 1 to 10000; as text, everything when absent.
    limit: Option<u32>,
    /// `json` or `text`.
    format: Option<String>,
    /// A browser's way to give the key to a stream.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// A part of a log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    data: Vec<LogLine>,
    /// Whether there are more.
    has_more: bool,
    /// The last line of this part: the next one begins after it.
    next_after: i64,
}

/// A line of a log.
#[derive(Debug, Serialize, ToSchema)]
struct LogLine {
    /// Its place in the whole log.
    line: i64,
    stage: String,
    at: String,
    /// `debug`, `info`, `warn` or `error`.
    level: String,
    message: String,
}

impl LogLine {
    fn piece(&self) -> Result<String, Error> {
        Ok(format!("id: {}\nevent: log\ndata: {}\n\n", self.line, to_json(self)?))
    }
}

#[derive(Clone, Debug, FromQueryResult)]
struct LineRow {
    line: i64,
    stage: String,
    at_ms: i64,
    level: String,
    message: String,
}

impl LineRow {
    fn text(&self) -> String {
        format!("{} {:5} [{}] {}\n", time(self.at_ms), self.level, self.stage, self.message)
    }

    fn view(self) -> LogLine {
        LogLine {
            line: self.line,
            stage: self.stage,
            at: time(self.at_ms),
            level: self.level,
            message: self.message,
        }
    }
}

async fn lines(
    app: &App,
    task: &str,
    stage: Option<&str>,
    after: i64,
    limit: u32,
) -> Result<Vec<LineRow>, Error> {
    let mut sql =
        "SELECT line, stage, at_ms, level, message FROM logs WHERE task = $1 AND line > $2".to_owned();
    let mut values: Vec<sea_orm::Value> = vec![task.into(), after.into()];
    if let Some(stage) = stage {
        sql.push_str(" AND stage = $3");
        values.push(stage.into());
    }
    all(app.store.read(), &format!("{sql} ORDER BY line LIMIT {limit}"), values).await
}

/// Lines of the log, in order.
#[utoipa::path(tag = "tasks", params(LogFilter), responses(
    (status = 200, content((LogPage = "application/json"), (String = "text/plain"))), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/logs")]
pub(crate) async fn read(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<LogFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let limit = filter.limit.unwrap_or(DEFAULT_LINES);
    if !(1..=MOST_LINES).contains(&limit) {
        return Err(Error::field("limit", "must be 1 to 10000"));
    }
    let after = filter.after.unwrap_or(-1);
    match filter.format.as_deref() {
        None | Some("json") => {
            let mut rows = lines(&app, &task.to_string(), filter.stage.as_deref(), after, limit + 1).await?;
            let has_more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            let next_after = rows.last().map_or(after, |row| row.line);
            let data = rows.into_iter().map(LineRow::view).collect();
            Ok(HttpResponse::Ok().json(LogPage { data, has_more, next_after }))
        }
        Some("text") => Ok(HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .streaming(Box::pin(text(&app, task.to_string(), &filter, after)))),
        Some(_) => Err(Error::field("format", "must be `json` or `text`")),
    }
}

/// Lines as text, read part by part: all of them, or as many as are wanted.
fn text(
    app: &App,
    task: String,
    filter: &LogFilter,
    after: i64,
) -> impl Stream<Item = Result<Bytes, Error>> + use<> {
    let (app, stage) = (app.clone(), filter.stage.clone());
    let left = filter.limit.map_or(u64::MAX, u64::from);
    futures::stream::try_unfold((after, left), move |(after, left)| {
        let (app, task, stage) = (app.clone(), task.clone(), stage.clone());
        async move {
            let part = u32::try_from(left).unwrap_or(u32::MAX).min(DEFAULT_LINES);
            let rows = if part == 0 {
                Vec::new()
            } else {
                lines(&app, &task, stage.as_deref(), after, part).await?
            };
            let Some(last) = rows.last().map(|row| row.line) else { return Ok(None) };
            let text: Vec<String> = rows.iter().map(LineRow::text).collect();
            Ok(Some((Bytes::from(text.concat()), (last, left - rows.len() as u64))))
        }
    })
}

/// Lines as they come, over server-sent events: their ids are line numbers, the data of each is a `LogLine`.
#[utoipa::path(tag = "tasks", params(LogFilter),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/logs/stream")]
pub(crate) async fn stream(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    path: Path<String>,
    filter: Query<LogFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let header = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    let after = header.and_then(|text| text.parse().ok()).or(filter.after).unwrap_or(-1);
    let (app, stage) = (app.get_ref().clone(), filter.stage.clone());
    let news = app.wakes.of(About::Log(task));
    Ok(events::sse(news, after, move |after| {
        let (app, task, stage) = (app.clone(), task.to_string(), stage.clone());
        async move {
            let rows = lines(&app, &task, stage.as_deref(), after, DEFAULT_LINES).await?;
            let last = rows.last().map_or(after, |row| row.line);
            let pieces: Result<Vec<String>, Error> = rows.into_iter().map(|row| row.view().piece()).collect();
            Ok((pieces?.concat(), last))
        }
    }))
}
