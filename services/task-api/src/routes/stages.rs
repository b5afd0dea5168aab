//! The stages of a task, and the log that each one left.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_artifacts::Prefix;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    download::{self, Link, LinkOptions},
    task_details::task_of,
};
use crate::{
    App, Error,
    http::{Caller, Page, Problem, Query, time},
    store::{all, one},
};

#[derive(FromQueryResult)]
struct Change {
    epoch: i64,
    seq: i64,
    stage: String,
    state: String,
    at_ms: i64,
    log_key: Option<String>,
}

/// One run of a stage, as it was told.
struct Run {
    begun: Change,
    ended: Option<Change>,
}

/// One run of a stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stage {
    name: String,
    state: StageState,
    /// Of which attempt at the task.
    epoch: i64,
    /// How far it came; absent where nothing was told.
    progress: Option<StageProgress>,
    started_at: String,
    finished_at: Option<String>,
    /// The path of its log, once it ended and left one.
    log: Option<String>,
}

/// How a run of a stage stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StageState {
    /// It goes on.
    Running,
    /// It came to its end.
    Finished,
    /// Its attempt ended before it.
    Interrupted,
}

/// How far a stage came.
#[derive(Debug, Serialize, ToSchema)]
struct StageProgress {
    done: i64,
    total: i64,
    /// What is counted.
    unit: String,
}

/// How far a stage came, under the latest attempt that told.
#[derive(FromQueryResult)]
struct Told {
    stage: String,
    epoch: i64,
    done: i64,
    total: i64,
    unit: String,
}

/// Stages of the task, each attempt's beginning and end, how far it came (each dataset of an evaluation is a stage), and the
/// path of the log of those that ended.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Page<Stage>), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/stages")]
pub(crate) async fn list(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Error> {
    let (task, row) = task_of(&app, &caller, &path).await?;
    let sql =
        "SELECT epoch, seq, stage, state, at_ms, log_key FROM stages WHERE task = $1 ORDER BY epoch, seq";
    let changes: Vec<Change> = all(app.store.read(), sql, [task.to_string().into()]).await?;
    let mut runs: Vec<Run> = Vec::new();
    for change in changes {
        if change.state == "started" {
            runs.push(Run { begun: change, ended: None });
        } else if let Some(open) = runs
            .iter_mut()
            .rev()
            .find(|run| run.begun.epoch == change.epoch && run.begun.stage == change.stage)
        {
            open.ended = Some(change);
        }
    }
    let sql = "SELECT stage, epoch, done, total, unit FROM stage_progress WHERE task = $1";
    let told: Vec<Told> = all(app.store.read(), sql, [task.to_string().into()]).await?;
    let running = row.state()?.is_leased().then_some(row.epoch);
    let view = runs.iter().map(|run| run.view(&row.id, running, &told)).collect();
    Ok(HttpResponse::Ok().json(Page::whole(view)))
}

impl Run {
    fn view(&self, task: &str, running_epoch: Option<i64>, told: &[Told]) -> Stage {
        let Change { epoch, stage, at_ms, .. } = &self.begun;
        let state = match self.ended {
            Some(_) => StageState::Finished,
            None if running_epoch == Some(*epoch) => StageState::Running,
            None => StageState::Interrupted,
        };
        let logged = self.ended.as_ref().filter(|end| end.log_key.is_some());
        let log_path = logged.map(|end| format!("/api/v1/tasks/{task}/stages/{epoch}/{}/log", end.seq));
        let told = told.iter().find(|told| told.stage == *stage && told.epoch == *epoch);
        let progress =
            told.map(|told| StageProgress { done: told.done, total: told.total, unit: told.unit.clone() });
        Stage {
            name: stage.clone(),
            state,
            epoch: *epoch,
            progress,
            started_at: time(*at_ms),
            finished_at: self.ended.as_ref().map(|end| time(end.at_ms)),
            log: log_path,
        }
    }
}

/// How the log of a stage is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageLogOptions {
    /// `text` (when absent) or `json`: JSON lines.
    format: Option<String>,
    /// `false` answers `{"url": …}` instead of a redirect.
    redirect: Option<bool>,
}

/// The whole log of a stage that ended, by presigned link.
#[utoipa::path(tag = "tasks", params(StageLogOptions), responses((status = 200, body = Link), (status = 307), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/stages/{epoch}/{seq}/log")]
pub(crate) async fn log(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    options: Query<StageLogOptions>,
) -> Result<HttpResponse, Error> {
    let (task, epoch, seq) = path.into_inner();
    let (task, row) = task_of(&app, &caller, &task).await?;
    let ending = match options.format.as_deref() {
        None | Some("text") => ".log",
        Some("json") => ".jsonl",
        Some(_) => return Err(Error::field("format", "must be `json` or `text`")),
    };
    let number = |text: String| text.parse::<i64>().map_err(|_| Error::not_found("stage"));
    let sql = "SELECT epoch, seq, stage, state, at_ms, log_key FROM stages
               WHERE task = $1 AND epoch = $2 AND seq = $3 AND log_key IS NOT NULL";
    let values = [task.to_string().into(), number(epoch)?.into(), number(seq)?.into()];
    let change: Option<Change> = one(app.store.read(), sql, values).await?;
    let change = change.ok_or_else(|| Error::not_found("stage log"))?;
    let key = change.log_key.ok_or(Error::stored("log key"))?;
    let key = Prefix::parse(&key).and_then(|key| key.with_ending(ending));
    let name = format!("{}-{}{ending}", row.name, change.stage);
    let redirect = LinkOptions { redirect: options.redirect };
    download::link_to(&app, &key.map_err(|_| Error::stored("log key"))?, &name, &redirect).await
}
