//! A benchmark's leaderboard: of each model its latest score under each choice of settings, in groups of scores that were
//! made alike.
//!
//! Scores of other settings are never ranked against each other: they stand in groups of their own, the group of most
//! models first.

use std::collections::{BTreeMap, BTreeSet};

use anneal_domain::id::WorkspaceId;
use anneal_store::Sql;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{TELLING, settings::Settings};
use crate::{
    Error,
    store::{TaskRow, from_json},
    tasks,
};

/// Evaluations that are looked at together.
const AT_ONCE: u64 = 256;

/// A model's latest score under some settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Standing {
    /// Its group: scores of one number were made alike and may be held against each other. 1 is that of most models.
    pub(crate) comparable: usize,
    /// Its place in the group.
    pub(crate) rank: usize,
    pub(crate) model: String,
    /// Absent when the model was deleted.
    pub(crate) model_name: Option<String>,
    /// Such as `acc,none`: the metric and the filter that read the answers.
    pub(crate) metric: String,
    pub(crate) value: f64,
    pub(crate) standard_error: Option<f64>,
    pub(crate) higher_is_better: bool,
    /// Rows that were scored.
    pub(crate) samples: Option<u64>,
    pub(crate) settings: Settings,
    /// The evaluation.
    pub(crate) task: String,
    pub(crate) task_name: String,
    pub(crate) finished_at: Option<String>,
    /// Which of the evaluation's entries it is.
    #[serde(skip)]
    pub(crate) entry: usize,
}

impl Standing {
    /// After it a page begins.
    pub(crate) fn cursor(&self) -> String {
        format!("{}.{}", self.task, self.entry)
    }
}

/// The scores of one entry of one evaluation.
struct Scored {
    model: String,
    settings: Settings,
    /// By metric and filter.
    scores: Map<String, Value>,
    /// What the evaluator says of the benchmark beside its scores.
    about: Value,
    task: String,
    task_name: String,
    finished_at_ms: Option<i64>,
    entry: usize,
}

/// Every standing of a benchmark, in order. `metric` is a metric's name, with its filter or without.
pub(crate) async fn leaderboard(
    db: &impl Sql,
    workspace: WorkspaceId,
    benchmark: &str,
    metric: Option<&str>,
) -> Result<Vec<Standing>, Error> {
    let latest = latest(db, workspace, benchmark).await?;
    Ok(ranked(latest, metric))
}

/// Of each model the newest score under each choice of settings, newest first.
async fn latest(db: &impl Sql, workspace: WorkspaceId, benchmark: &str) -> Result<Vec<Scored>, Error> {
    let mut seen = BTreeSet::new();
    let mut latest = Vec::new();
    let mut before = None;
    loop {
        let rows = tasks::succeeded_evaluations(db, workspace, benchmark, before, AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(latest) };
        before = Some(last.task()?);
        for row in &rows {
            for scored in scores_of(row, benchmark)? {
                if seen.insert((scored.model.clone(), scored.settings.clone())) {
                    latest.push(scored);
                }
            }
        }
    }
}

/// An evaluation's scores of a benchmark, one for each entry that has it.
fn scores_of(row: &TaskRow, benchmark: &str) -> Result<Vec<Scored>, Error> {
    let figures: Value = from_json(&row.figures, "figures")?;
    let facts: Value = from_json(&row.facts, "task facts")?;
    let mut found = Vec::new();
    let anneal_domain::spec::TaskSpec::Evaluation(spec) = row.spec()? else { return Ok(found) };
    // A checkpoint is no model of this platform.
    if spec.checkpoint.is_some() {
        return Ok(found);
    }
    for (entry, dataset) in spec.datasets.iter().enumerate() {
        let Some(name) = dataset.score_name(benchmark) else { continue };
        let Some(scores) = figures["scores"][&name].as_object() else { continue };
        let about = figures["benchmarks"][&name].clone();
        let version = facts[format!("dataset.{entry}")]["version"].as_i64();
        found.push(Scored {
            model: spec.model.to_string(),
            settings: Settings::of(&spec, dataset, version, &figures["settings"], &about),
            scores: scores.clone(),
            about,
            task: row.id.clone(),
            task_name: row.name.clone(),
            finished_at_ms: row.finished_at_ms,
            entry,
        });
    }
    Ok(found)
}

/// Groups by settings, those of most models first and of the newest among as many; within a group by the metric.
fn ranked(latest: Vec<Scored>, metric: Option<&str>) -> Vec<Standing> {
    let metric = metric.map(str::to_owned).or_else(|| most_telling(&latest));
    let mut groups: BTreeMap<Settings, Vec<Standing>> = BTreeMap::new();
    for scored in latest {
        if let Some(standing) = metric.as_deref().and_then(|metric| standing(&scored, metric)) {
            groups.entry(scored.settings).or_default().push(standing);
        }
    }
    let mut groups: Vec<Vec<Standing>> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        let newest = group.iter().map(|standing| standing.task.clone()).max();
        std::cmp::Reverse((group.len(), newest))
    });
    for (place, group) in groups.iter_mut().enumerate() {
        group.sort_by(|a, b| {
            let better =
                if a.higher_is_better { b.value.total_cmp(&a.value) } else { a.value.total_cmp(&b.value) };
            better.then_with(|| b.task.cmp(&a.task)).then_with(|| a.entry.cmp(&b.entry))
        });
        for (rank, standing) in group.iter_mut().enumerate() {
            (standing.comparable, standing.rank) = (place + 1, rank + 1);
        }
    }
    groups.into_iter().flatten().collect()
}

/// The metric that says most of the newest scores.
fn most_telling(latest: &[Scored]) -> Option<String> {
    let scores = &latest.first()?.scores;
    let known = TELLING.iter().find_map(|name| key_of(scores, name));
    known.or_else(|| scores.keys().find(|key| !key.contains("_stderr,"))).cloned()
}

/// The key of a metric that is named with its filter or without.
fn key_of<'a>(scores: &'a Map<String, Value>, metric: &str) -> Option<&'a String> {
    scores.keys().find(|key| *key == metric || key.split_once(',').is_some_and(|(name, _)| name == metric))
}

fn standing(scored: &Scored, metric: &str) -> Option<Standing> {
    let key = key_of(&scored.scores, metric)?;
    let (name, filter) = key.split_once(',').unwrap_or((key, ""));
    Some(Standing {
        comparable: 0,
        rank: 0,
        model: scored.model.clone(),
        model_name: None,
        metric: key.clone(),
        value: scored.scores[key].as_f64()?,
        standard_error: scored.scores.get(&format!("{name}_stderr,{filter}")).and_then(Value::as_f64),
        higher_is_better: scored.about["higher_is_better"][name].as_bool().unwrap_or(true),
        samples: scored.about["samples"].as_u64(),
        settings: scored.settings.clone(),
        task: scored.task.clone(),
        task_name: scored.task_name.clone(),
        finished_at: scored.finished_at_ms.map(crate::http::time),
        entry: scored.entry,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn scored(task: &str, model: &str, limit: Option<u64>, scores: &Value) -> Scored {
        Scored {
            model: model.to_owned(),
            settings: Settings { limit, ..Settings::default() },
            scores: scores.as_object().unwrap().clone(),
            about: json!({"higher_is_better": {"byte_perplexity": false}, "samples": 7}),
            task: task.to_owned(),
            task_name: String::new(),
            finished_at_ms: None,
            entry: 0,
        }
    }

    fn order(standings: &[Standing]) -> Vec<(usize, usize, &str)> {
        standings.iter().map(|one| (one.comparable, one.rank, one.model.as_str())).collect()
    }

    #[test]
    fn other_settings_stand_in_groups_of_their_own() {
        let acc = |value: f64| json!({"acc,none": value, "acc_stderr,none": 0.01});
        let latest = vec![
            scored("t5", "a", Some(10), &acc(0.9)),
            scored("t4", "b", None, &acc(0.5)),
            scored("t3", "a", None, &acc(0.6)),
        ];
        let standings = ranked(latest, None);
        assert_eq!(order(&standings), [(1, 1, "a"), (1, 2, "b"), (2, 1, "a")]);
        assert_eq!((standings[0].standard_error, standings[0].samples), (Some(0.01), Some(7)));
        assert_eq!(standings[2].settings.limit, Some(10));
    }

    #[test]
    fn a_metric_is_chosen_by_its_name_and_less_may_be_better() {
        let scores = |value: f64| json!({"byte_perplexity,none": value, "acc,strict": value});
        let latest = || vec![scored("t2", "a", None, &scores(3.0)), scored("t1", "b", None, &scores(2.0))];
        let telling = ranked(latest(), None);
        assert_eq!((telling[0].metric.as_str(), telling[0].model.as_str()), ("acc,strict", "a"));
        let chosen = ranked(latest(), Some("byte_perplexity"));
        assert_eq!(order(&chosen), [(1, 1, "b"), (1, 2, "a")]);
        assert!(ranked(latest(), Some("acc,none")).is_empty(), "another filter is another metric");
    }
}
