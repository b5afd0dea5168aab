//! Which model is best at a benchmark, among the workspace's evaluations.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path},
};
use anneal_domain::spec::{benchmark_name, is_benchmark};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    App, Error,
    evaluations::{Standing, leaderboard as standings},
    http::{Caller, Page, Problem, Query, limit_of},
    models,
};

/// Which part of a leaderboard is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandingFilter {
    /// A metric, such as `acc_norm` or `exact_match,strict-match`; the most telling one when absent.
    metric: Option<String>,
    /// 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Models by their latest score of a benchmark, or of a subject of one. Scores that were made with other settings (examples,
/// chat template, limit, precision, version of the dataset …) stand in groups of their own, that of most models first.
#[utoipa::path(tag = "tasks", params(StandingFilter),
    responses((status = 200, body = Page<Standing>), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[get("/api/v1/benchmarks/{name}/leaderboard")]
pub(crate) async fn leaderboard(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    filter: Query<StandingFilter>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(filter.limit)?;
    let name = benchmark_name(&path);
    let mut all = standings(app.store.read(), caller.workspace, &name, filter.metric.as_deref()).await?;
    if all.is_empty() && !is_benchmark(&name) {
        return Err(Error::not_found("benchmark"));
    }
    if let Some(cursor) = &filter.cursor {
        let place = all.iter().position(|standing| standing.cursor() == *cursor);
        let place = place.ok_or_else(|| {
            Error::field(
                "cursor",
                "give `next_cursor` of a page; where newer scores have come since, begin anew",
            )
        })?;
        all.drain(..=place);
    }
    all.truncate(limit as usize + 1);
    let names = names_of(&app, &caller, &all).await;
    let page = Page::cut(all, limit, Standing::cursor, |standing| {
        let model_name = names.get(&standing.model).cloned();
        Ok(Standing { model_name, ..standing })
    })?;
    Ok(HttpResponse::Ok().json(page))
}

/// The names of the models that are still there.
async fn names_of(app: &App, caller: &Caller, standings: &[Standing]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for standing in standings {
        let Ok(model) = standing.model.parse() else { continue };
        if let Ok(row) = models::readable(app.store.read(), caller.workspace, model).await {
            names.insert(row.id, row.name);
        }
    }
    names
}
