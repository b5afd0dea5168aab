//! Scores of an evaluation, read from the results it published.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_artifacts::Prefix;
use bytes::Bytes;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{artifacts::of_role, task_details::task_of};
use crate::{
    App, Error,
    http::{Caller, Problem},
};

/// Largest results file that is read into memory.
const LARGEST_RESULTS: u64 = 16 << 20;

/// An evaluation's results file, in the shape of lm-evaluation-harness: what else that tells of a run, it tells too.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what the evaluator publishes")]
pub(crate) struct Scores {
    /// Scores by benchmark, subject or group: `acc,none` is a metric and the filter that read the answers,
    /// `acc_stderr,none` its standard error.
    results: BTreeMap<String, Map<String, Value>>,
    /// Those of groups alone.
    groups: Option<BTreeMap<String, Map<String, Value>>>,
    /// The members of each group.
    group_subtasks: Option<BTreeMap<String, Vec<String>>>,
    /// Which way each metric of a benchmark is better.
    higher_is_better: Option<BTreeMap<String, BTreeMap<String, bool>>>,
    /// Examples in the prompt.
    #[schema(rename = "n-shot")]
    n_shot: Option<BTreeMap<String, u64>>,
    /// How many rows there are, and were scored.
    #[schema(rename = "n-samples")]
    n_samples: Option<BTreeMap<String, ScoredRows>>,
}

/// Rows of a benchmark.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what the evaluator publishes")]
struct ScoredRows {
    /// In its split.
    original: u64,
    /// That were scored.
    effective: u64,
}

/// Scores by benchmark.
#[utoipa::path(tag = "tasks", responses((status = 200, body = Scores), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/scores")]
pub(crate) async fn scores(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let folder = of_role(&app, task, "results").await?.prefix()?;
    // As it was published, to the last digit.
    Ok(HttpResponse::Ok().content_type("application/json").body(bytes(&app, &folder).await?))
}

/// What the results file of a published folder says.
pub(super) async fn results(app: &App, folder: &Prefix) -> Result<Value, Error> {
    serde_json::from_slice(&bytes(app, folder).await?).map_err(|_| Error::stored("results file"))
}

async fn bytes(app: &App, folder: &Prefix) -> Result<Bytes, Error> {
    let key = folder.file("results.json")?;
    if app.objects.size(&key).await?.is_none_or(|size| size > LARGEST_RESULTS) {
        return Err(Error::not_found("results file"));
    }
    Ok(app.objects.get_bytes(&key).await?)
}
