//! Scores of an evaluation, and its samples one by one: read from the results it published.

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{artifacts::of_role, task_details::task_of};
use crate::{
    App, Error,
    http::{Caller, Problem, Query, limit_of},
};

/// Largest results file that is read into memory.
const LARGEST_RESULTS: u64 = 16 << 20;
/// Bytes of a samples file that are read for one page.
const LARGEST_SAMPLES: u64 = 256 << 20;

/// Scores by benchmark.
#[utoipa::path(tag = "tasks", responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/scores")]
pub(crate) async fn scores(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let folder = of_role(&app, task, "results").await?;
    let prefix = folder.prefix()?;
    let key = prefix.file("results.json")?;
    if app.objects.size(&key).await?.is_none_or(|size| size > LARGEST_RESULTS) {
        return Err(Error::not_found("results file"));
    }
    let bytes = app.objects.get_bytes(&key).await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(bytes))
}

/// Which samples are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleFilter {
    /// A benchmark of the evaluation; the first one when absent.
    benchmark: Option<String>,
    /// `pass` or `fail`.
    outcome: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Samples with prompt, answer, output and score.
#[utoipa::path(tag = "tasks", params(SampleFilter), responses((status = 200), (status = 404, body = Problem)))]
#[get("/api/v1/tasks/{id}/samples")]
pub(crate) async fn samples(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<SampleFilter>,
) -> Result<HttpResponse, Error> {
    let (task, _) = task_of(&app, &caller, &path).await?;
    let limit = limit_of(filter.limit)? as usize;
    let skip: usize = match &filter.cursor {
        Some(text) => text.parse().map_err(|_| Error::field("cursor", "give `next_cursor` of a page"))?,
        None => 0,
    };
    let pass = match filter.outcome.as_deref() {
        None => None,
        Some("pass") => Some(true),
        Some("fail") => Some(false),
        Some(_) => return Err(Error::field("outcome", "must be `pass` or `fail`")),
    };
    let folder = of_role(&app, task, "results").await?;
    let prefix = folder.prefix()?;
    let manifest = app.objects.manifest(&prefix, None).await?;
    let wanted = filter.benchmark.as_ref().map(|name| format!("samples_{name}.jsonl"));
    let file = manifest
        .files
        .iter()
        .find(|file| wanted.as_ref().map_or(file.path.starts_with("samples_"), |name| *name == file.path));
    let file = file.ok_or_else(|| Error::not_found("benchmark"))?;
    if file.size_bytes > LARGEST_SAMPLES {
        return Err(Error::conflict(
            "this samples file is too large to be paged: download it from the artifacts",
        ));
    }
    let bytes = app.objects.get_bytes(&prefix.file(&file.path)?).await?;
    let matching = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|sample| pass.is_none_or(|pass| passed(sample) == Some(pass)));
    let mut data: Vec<Value> =
        matching.skip(skip).take(limit + 1).map(|sample| sample_view(&sample)).collect();
    let has_more = data.len() > limit;
    data.truncate(limit);
    let next = has_more.then(|| (skip + limit).to_string());
    Ok(HttpResponse::Ok().json(json!({ "data": data, "has_more": has_more, "next_cursor": next })))
}

/// The first of its accuracy-like scores that is there.
fn passed(sample: &Value) -> Option<bool> {
    ["acc", "exact_match", "acc_norm", "prompt_level_strict_acc"]
        .iter()
        .find_map(|name| sample.get(name))
        .and_then(|score| score.as_f64().or_else(|| score.as_bool().map(|b| f64::from(u8::from(b)))))
        .map(|score| score >= 0.5)
}

fn sample_view(sample: &Value) -> Value {
    let of = |name: &str| sample.get(name).cloned().unwrap_or(Value::Null);
    json!({
        "doc_id": of("doc_id"), "prompt": of("arguments"), "answer": of("target"), "output": of("resps"),
        "filtered": of("filtered_resps"), "pass": passed(sample), "sample": sample,
    })
}
