//! Facts over server-sent events, resumable by `Last-Event-ID`.

use std::{fmt::Write as _, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use bytes::Bytes;
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::{
    App, Error,
    http::{Caller, Query},
    store::{all, from_json},
};

/// Rows of one read.
const BATCH: u32 = 256;
/// A comment this often keeps proxies from closing an idle stream.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// A fact in the log.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct EventRow {
    id: i64,
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
    pub(super) fn view(&self) -> Result<Value, Error> {
        let event: Value = from_json(&self.event, "event")?;
        Ok(json!({
            "id": self.id, "event_id": self.event_id, "type": self.r#type, "time": self.time,
            "workspace": self.workspace, "task": self.task, "epoch": self.epoch, "seq": self.seq,
            "traceparent": self.traceparent, "event": event,
        }))
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

/// Facts of the workspace, as they come.
#[utoipa::path(tag = "events", params(StreamFrom), responses((status = 200, content_type = "text/event-stream")))]
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
    Ok(sse(&app.clone(), after, move |after| {
        let (app, workspace) = (app.clone(), workspace.clone());
        async move {
            let sql =
                format!("SELECT * FROM event_log WHERE workspace = $1 AND id > $2 ORDER BY id LIMIT {BATCH}");
            let rows: Vec<EventRow> = all(app.store.read(), &sql, [workspace.into(), after.into()]).await?;
            let mut text = String::new();
            for row in &rows {
                write!(text, "id: {}\nevent: {}\ndata: {}\n\n", row.id, row.r#type, row.view()?)
                    .map_err(unwritten)?;
            }
            Ok((text, rows.last().map_or(after, |row| row.id)))
        }
    }))
}

async fn newest(app: &App) -> Result<i64, Error> {
    use anneal_store::Sql;
    let row = app.store.read().row("SELECT COALESCE(MAX(id), 0) AS id FROM event_log", []).await?;
    Ok(row.map(|row| row.try_get("", "id")).transpose()?.unwrap_or(0))
}

/// Text in memory can always be written to.
fn unwritten(_: std::fmt::Error) -> Error {
    Error::stored("text")
}

/// A stream that reads what is new whenever something was added, and says that it lives in between.
pub(super) fn sse<F, Fut>(app: &App, after: i64, read: F) -> HttpResponse
where
    F: Fn(i64) -> Fut + 'static,
    Fut: Future<Output = Result<(String, i64), Error>> + 'static,
{
    let mut grew = app.grew.subscribe();
    grew.mark_changed();
    let state = (after, grew, read);
    let pieces = futures::stream::unfold(state, |(after, mut grew, read)| async move {
        loop {
            match tokio::time::timeout(HEARTBEAT, grew.changed()).await {
                Err(_) => return Some((Ok(Bytes::from_static(b": alive\n\n")), (after, grew, read))),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
            match read(after).await {
                Ok((text, _)) if text.is_empty() => {}
                Ok((text, next)) => {
                    // There may be more than one read's worth.
                    grew.mark_changed();
                    return Some((Ok::<_, Error>(Bytes::from(text)), (next, grew, read)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream ends: its source cannot be read");
                    return None;
                }
            }
        }
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(pieces))
}
