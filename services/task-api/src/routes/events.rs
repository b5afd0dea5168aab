//! Facts over server-sent events, resumable by `Last-Event-ID`.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use bytes::Bytes;
use futures::Stream;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{sync::watch, time::Instant};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, Error,
    http::{Caller, Query},
    store::{all, from_json, to_json},
    wakes::About,
};

/// Rows of one read.
const BATCH: u32 = 256;
/// A comment this often keeps proxies from closing an idle stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Something that happened to a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fact {
    /// Its place in the log: what a stream goes on after.
    id: i64,
    event_id: String,
    /// Versioned, such as `anneal.task.queued.v1`.
    r#type: String,
    time: String,
    workspace: String,
    task: String,
    /// The attempt at the task that it was said under; 0 before the first.
    epoch: i64,
    /// Its place in that attempt.
    seq: i64,
    traceparent: String,
    /// What happened, named by `event`; what else it says depends on that.
    event: Map<String, Value>,
}

impl Fact {
    fn piece(&self) -> Result<String, Error> {
        Ok(format!("id: {}\nevent: {}\ndata: {}\n\n", self.id, self.r#type, to_json(self)?))
    }
}

/// A fact in the log.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct EventRow {
    pub(super) id: i64,
    event_id: String,
    workspace: String,
    task: String,
    r#type: String,
    time: String,
    epoch: i64,
    seq: i64,
    traceparent: String,
    event: String,
}

impl EventRow {
    pub(super) fn view(self) -> Result<Fact, Error> {
        Ok(Fact {
            event: from_json(&self.event, "event")?,
            id: self.id,
            event_id: self.event_id,
            r#type: self.r#type,
            time: self.time,
            workspace: self.workspace,
            task: self.task,
            epoch: self.epoch,
            seq: self.seq,
            traceparent: self.traceparent,
        })
    }
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamFrom {
    /// As the header `Last-Event-ID`; 0 replays everything, absent begins now.
    last_event_id: Option<i64>,
    /// A browser's way to give the key.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// Facts of the workspace, as they come: the data of each event is a `Fact`.
#[utoipa::path(tag = "events", params(StreamFrom),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
#[get("/api/v1/events")]
pub(crate) async fn stream(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    from: Query<StreamFrom>,
) -> Result<HttpResponse, Error> {
    let header = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    let asked = match header {
        Some(text) => Some(text.parse().map_err(|_| Error::field("Last-Event-ID", "must be an event's id"))?),
        None => from.last_event_id,
    };
    let after = match asked {
        Some(id) => id,
        None => newest(&app).await?,
    };
    let (app, workspace) = (app.get_ref().clone(), caller.workspace.to_string());
    let news = app.wakes.of(About::Facts(caller.workspace));
    Ok(sse(news, after, move |after| {
        let (app, workspace) = (app.clone(), workspace.clone());
        async move {
            let sql =
                format!("SELECT * FROM event_log WHERE workspace = $1 AND id > $2 ORDER BY id LIMIT {BATCH}");
            let rows: Vec<EventRow> = all(app.store.read(), &sql, [workspace.into(), after.into()]).await?;
            let last = rows.last().map_or(after, |row| row.id);
            let pieces: Result<Vec<String>, Error> =
                rows.into_iter().map(|row| row.view()?.piece()).collect();
            Ok((pieces?.concat(), last))
        }
    }))
}

async fn newest(app: &App) -> Result<i64, Error> {
    use anneal_store::Sql;
    let row = app.store.read().row("SELECT COALESCE(MAX(id), 0) AS id FROM event_log", []).await?;
    Ok(row.map(|row| row.try_get("", "id")).transpose()?.unwrap_or(0))
}

/// A stream that reads what is new whenever something was added, and says that it lives in between.
pub(super) fn sse<F, Fut>(news: watch::Receiver<()>, after: i64, read: F) -> HttpResponse
where
    F: Fn(i64) -> Fut + 'static,
    Fut: Future<Output = Result<(String, i64), Error>> + 'static,
{
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(pieces(news, HEARTBEAT, after, read)))
}

/// The text of a stream: what `read` gives after an id, and a comment where it gave nothing for a heartbeat's time. It reads
/// at every heartbeat too: what another process has written wakes nobody here.
fn pieces<F, Fut>(
    mut news: watch::Receiver<()>,
    heartbeat: Duration,
    after: i64,
    read: F,
) -> impl Stream<Item = Result<Bytes, Error>>
where
    F: Fn(i64) -> Fut,
    Fut: Future<Output = Result<(String, i64), Error>>,
{
    news.mark_changed();
    let state = (after, Instant::now() + heartbeat, news, read);
    futures::stream::unfold(state, move |(after, due, mut news, read)| async move {
        loop {
            let is_quiet = match tokio::time::timeout_at(due, news.changed()).await {
                Err(_) => true,
                Ok(Err(_)) => return None,
                Ok(Ok(())) => Instant::now() >= due,
            };
            let (text, next) = match read(after).await {
                Ok((text, _)) if text.is_empty() && is_quiet => (": alive\n\n".to_owned(), after),
                Ok((text, _)) if text.is_empty() => continue,
                Ok((text, next)) => {
                    // There may be more than one read's worth.
                    news.mark_changed();
                    (text, next)
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream ends: its source cannot be read");
                    return None;
                }
            };
            return Some((Ok(Bytes::from(text)), (next, Instant::now() + heartbeat, news, read)));
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_quiet_stream_lives_while_it_is_woken_for_nothing() {
        let (wake, news) = watch::channel(());
        let wake = &wake;
        let read = |after| async move {
            // Woken again before this read is done, for ever.
            wake.send_replace(());
            Ok::<_, Error>((String::new(), after))
        };
        let told = pieces(news, Duration::from_millis(20), 7, read);
        let first = std::pin::pin!(told).next().await.unwrap().unwrap();
        assert_eq!(first, ": alive\n\n");
    }

    #[tokio::test]
    async fn what_came_before_the_stream_and_during_a_read_is_told() {
        let (_wake, news) = watch::channel(());
        let read = |after| async move {
            let text = if after < 3 { format!("{after} ") } else { String::new() };
            Ok::<_, Error>((text, after + 1))
        };
        let all = pieces(news, Duration::from_hours(1), 0, read);
        let told: Vec<_> = all.take(3).map(Result::unwrap).collect().await;
        assert_eq!(told.concat(), b"0 1 2 ");
    }
}
