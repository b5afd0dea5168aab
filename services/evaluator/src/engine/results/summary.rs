//! `results.json` in the harness's shape.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::engine::scoring::{Member, group_scores};
use crate::engine::tasks::{BadRow, Group, GroupMetric, TaskConfig};

/// One figure: metric, filter, value, standard error.
#[derive(Clone, Debug)]
pub struct Score {
    /// The metric.
    pub metric: String,
    /// The filter.
    pub filter: String,
    /// The figure.
    pub value: f64,
    /// Its standard error.
    pub error: Option<f64>,
}

/// A task's figures, in order.
pub type Scores = Vec<Score>;

/// What is told of one task.
pub struct TaskSummary {
    /// The task's fields.
    pub config: TaskConfig,
    /// Examples in the prompt.
    pub num_fewshot: usize,
    /// Its figures.
    pub scores: Scores,
    /// Direction of each metric.
    pub higher_is_better: Vec<(String, bool)>,
    /// Rows of the split.
    pub original: usize,
    /// Rows scored.
    pub effective: usize,
    /// The split that was evaluated.
    pub split: String,
    /// Rows whose requests were cut from the left, and the ids cut.
    pub truncated: (usize, usize),
    /// Rows that could not be scored.
    pub bad: Vec<BadRow>,
    /// Rows that could not be read where examples are taken from.
    pub bad_examples: Vec<BadRow>,
    /// Hash over the hashes of its samples.
    pub hash: String,
}

/// What is told of the run.
pub struct RunFacts {
    /// `config`: the model and how it ran.
    pub config: Map<String, Value>,
    /// Everything else at the top level.
    pub more: Map<String, Value>,
}

/// Puts everything together.
pub fn results_json(
    tasks: &BTreeMap<String, TaskSummary>,
    order: &[String],
    groups: &[Group],
    facts: RunFacts,
) -> Value {
    let mut results = Map::new();
    for name in order {
        if let Some(task) = tasks.get(name) {
            results.insert(name.clone(), task_scores(name, task));
        }
    }
    let mut group_results = Map::new();
    for group in groups {
        let scores = group_scores_json(group, tasks);
        results.insert(group.name.clone(), scores.clone());
        group_results.insert(group.name.clone(), scores);
    }
    let mut out = Map::new();
    out.insert("results".to_owned(), Value::Object(results));
    if !group_results.is_empty() {
        out.insert("groups".to_owned(), Value::Object(group_results));
    }
    let subtasks: Map<String, Value> =
        groups.iter().map(|group| (group.name.clone(), json!(group.members))).collect();
    out.insert("group_subtasks".to_owned(), Value::Object(subtasks));
    let each = |value: &dyn Fn(&TaskSummary) -> Value| -> Map<String, Value> {
        tasks.iter().map(|(name, task)| (name.clone(), value(task))).collect()
    };
    out.insert("configs".to_owned(), Value::Object(each(&|task| config_json(task))));
    let mut versions = each(&|task| task.config.version());
    versions.extend(groups.iter().map(|group| (group.name.clone(), json!(group.version))));
    out.insert("versions".to_owned(), Value::Object(versions));
    out.insert("n-shot".to_owned(), Value::Object(each(&|task| json!(task.num_fewshot))));
    let mut directions =
        each(&|task| task.higher_is_better.iter().map(|(name, up)| (name.clone(), json!(up))).collect());
    for group in groups {
        let first = group.tasks.first().and_then(|task| directions.get(task)).cloned();
        directions.extend(first.map(|direction| (group.name.clone(), direction)));
    }
    out.insert("higher_is_better".to_owned(), Value::Object(directions));
    out.insert(
        "n-samples".to_owned(),
        Value::Object(each(&|task| json!({"original": task.original, "effective": task.effective}))),
    );
    out.insert("config".to_owned(), Value::Object(facts.config));
    out.insert("task_hashes".to_owned(), Value::Object(each(&|task| json!(task.hash))));
    out.insert("anneal".to_owned(), Value::Object(each(&|task| details(task))));
    out.extend(facts.more);
    Value::Object(out)
}

fn error_json(error: Option<f64>) -> Value {
    error.map_or_else(|| json!("N/A"), |error| json!(error))
}

fn task_scores(name: &str, task: &TaskSummary) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(name));
    out.insert("alias".to_owned(), json!(task.config.task_alias.as_deref().unwrap_or(name)));
    out.insert("sample_len".to_owned(), json!(task.effective));
    for score in &task.scores {
        out.insert(format!("{},{}", score.metric, score.filter), json!(score.value));
        out.insert(format!("{}_stderr,{}", score.metric, score.filter), error_json(score.error));
    }
    Value::Object(out)
}

fn group_scores_json(group: &Group, tasks: &BTreeMap<String, TaskSummary>) -> Value {
    let members: Vec<&TaskSummary> = group.tasks.iter().filter_map(|name| tasks.get(name)).collect();
    let mut out = Map::new();
    out.insert("alias".to_owned(), json!(group.alias));
    out.insert("name".to_owned(), json!(group.name));
    out.insert("sample_len".to_owned(), json!(members.iter().map(|task| task.effective).sum::<usize>()));
    let mut counts = Map::new();
    let wanted =
        group.metrics.iter().flat_map(|metric| metric.filters.iter().map(move |filter| (metric, filter)));
    for (GroupMetric { metric, weight_by_size, .. }, filter) in wanted {
        let figures: Vec<Member> = members
            .iter()
            .filter_map(|task| {
                let score =
                    task.scores.iter().find(|score| score.metric == *metric && score.filter == *filter)?;
                Some(Member { value: score.value, error: score.error, samples: task.effective })
            })
            .collect();
        if let Some((value, error)) = group_scores(&figures, *weight_by_size) {
            out.insert(format!("{metric},{filter}"), json!(value));
            out.insert(format!("{metric}_stderr,{filter}"), error_json(error));
            let count: usize = figures.iter().map(|figure| figure.samples).sum();
            counts.insert(format!("{metric},{filter}"), json!(count));
        }
    }
    out.insert("sample_count".to_owned(), Value::Object(counts));
    Value::Object(out)
}

/// The task's fields as the harness dumps them.
fn config_json(task: &TaskSummary) -> Value {
    let mut config = serde_json::to_value(&task.config).unwrap_or_default();
    config["num_fewshot"] = json!(task.num_fewshot);
    config
}

/// What the harness does not tell: the split, what was cut, what could not be scored.
fn details(task: &TaskSummary) -> Value {
    let told = |rows: &[BadRow]| -> Vec<Value> {
        rows.iter().map(|row| json!({"row": row.row, "line": row.line, "reason": row.reason})).collect()
    };
    json!({
        "split": task.split,
        "truncated_samples": task.truncated.0,
        "truncated_tokens": task.truncated.1,
        "bad_rows": told(&task.bad),
        "bad_example_rows": told(&task.bad_examples),
    })
}
