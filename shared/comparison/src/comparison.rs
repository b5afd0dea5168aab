//! The whole comparison: why the two may differ, every task and group.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::causes::{self, Cause};
use crate::error::Error;
use crate::evaluation::Evaluation;
use crate::metric::{MetricComparison, Point};
use crate::pairs::Pairs;
use crate::sample::Names;

/// Samples of one evaluation that are compared at most: so many take a few hundred megabytes.
const MOST_SAMPLES: usize = 500_000;

/// Two evaluations, compared.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Comparison {
    /// Settings of the whole evaluations that differ.
    pub causes: Vec<Cause>,
    /// Tasks that both have.
    pub tasks: BTreeMap<String, TaskComparison>,
    /// Groups that both have, over the tasks that both have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, BTreeMap<String, MetricComparison>>,
    /// Tasks that only the first has.
    pub only_in_a: Vec<String>,
    /// Tasks that only the second has.
    pub only_in_b: Vec<String>,
}

/// A task of both evaluations.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TaskComparison {
    /// What differs in this task alone.
    pub causes: Vec<Cause>,
    /// Samples of both, counted once for each filter.
    pub samples: usize,
    /// Of those, samples with the same prompt.
    pub same_prompt: usize,
    /// Of those, samples that the model nevertheless answered otherwise.
    pub other_answer: usize,
    /// By metric and filter, such as `acc,none`.
    pub metrics: BTreeMap<String, MetricComparison>,
}

/// The points of each metric of a task.
type Points = BTreeMap<String, Vec<Point>>;

/// Compares two evaluations.
pub fn compare(a: &Evaluation, b: &Evaluation) -> Result<Comparison, Error> {
    let (only_in_a, common): (Vec<String>, Vec<String>) =
        a.tasks().map(str::to_owned).partition(|task| b.tasks().all(|other| other != task));
    let only_in_b = b.tasks().filter(|task| a.tasks().all(|other| other != *task)).map(str::to_owned);
    if common.is_empty() {
        let names = |evaluation: &Evaluation| evaluation.tasks().collect::<Vec<_>>().join(", ");
        return Err(Error::NoCommonTask { a: names(a), b: names(b) });
    }
    let mut tasks = BTreeMap::new();
    let mut points = BTreeMap::new();
    let mut room = MOST_SAMPLES;
    for task in common {
        let pairs = pairs_of(&task, a, b, room)?;
        room = room.saturating_sub(pairs.both.len() + pairs.only_a.len());
        let own = points_of(&pairs);
        tasks.insert(task.clone(), TaskComparison::of(&task, a, b, &pairs, &own));
        points.insert(task, own);
    }
    Ok(Comparison {
        causes: causes::of_evaluations(a, b),
        tasks,
        groups: groups(a, b, &points),
        only_in_a,
        only_in_b: only_in_b.collect(),
    })
}

/// The samples of a task; the first evaluation may have so many.
fn pairs_of(task: &str, a: &Evaluation, b: &Evaluation, room: usize) -> Result<Pairs, Error> {
    let mut names = Names::default();
    let mut samples = Vec::new();
    for sample in a.samples(task, &mut names)? {
        if samples.len() == room {
            return Err(Error::TooMany { task: task.to_owned(), most: MOST_SAMPLES });
        }
        samples.push(sample?);
    }
    Pairs::of(samples, b.samples(task, &mut names)?)
}

impl TaskComparison {
    fn of(task: &str, a: &Evaluation, b: &Evaluation, pairs: &Pairs, points: &Points) -> Self {
        let same = || pairs.both.iter().filter(|(a, b)| a.prompt_hash == b.prompt_hash);
        Self {
            causes: causes::of_task(task, a, b, pairs),
            samples: pairs.both.len(),
            same_prompt: same().count(),
            other_answer: same().filter(|(a, b)| a.answers_hash != b.answers_hash).count(),
            metrics: metrics(task, a, b, points, true),
        }
    }
}

fn points_of(pairs: &Pairs) -> Points {
    pairs
        .metrics()
        .into_iter()
        .map(|name| {
            let (metric, filter) = name.split_once(',').unwrap_or((&name, ""));
            let own = pairs.both.iter().filter(|(a, _)| *a.filter == *filter);
            let points = own.filter_map(|(a, b)| Point::of(metric, a, b)).collect();
            (name, points)
        })
        .collect()
}

fn metrics(
    name: &str,
    a: &Evaluation,
    b: &Evaluation,
    points: &Points,
    ids: bool,
) -> BTreeMap<String, MetricComparison> {
    points
        .iter()
        .filter_map(|(metric, points)| {
            let figures = (a.figure(name, metric), b.figure(name, metric));
            MetricComparison::of(points, figures, ids).map(|compared| (metric.clone(), compared))
        })
        .collect()
}

/// Groups that both have; their metrics are those that the results give for the group.
fn groups(
    a: &Evaluation,
    b: &Evaluation,
    tasks: &BTreeMap<String, Points>,
) -> BTreeMap<String, BTreeMap<String, MetricComparison>> {
    let others: Vec<&str> = b.groups().into_iter().map(|(name, _)| name).collect();
    a.groups()
        .into_iter()
        .filter(|(name, _)| others.contains(name))
        .map(|(name, members)| {
            let mut all = Points::new();
            for (metric, points) in members.iter().filter_map(|member| tasks.get(*member)).flatten() {
                if a.figure(name, metric).is_some() {
                    all.entry(metric.clone()).or_default().extend(points);
                }
            }
            (name.to_owned(), metrics(name, a, b, &all, false))
        })
        .collect()
}
