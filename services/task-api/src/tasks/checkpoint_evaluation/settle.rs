//! The end of an evaluation: its scores become a point of the training's curves.

use anneal_domain::{
    spec::{EvaluationDataset, TaskSpec, benchmark_name},
    task::TaskState,
};
use anneal_store::Tx;
use serde_json::{Map, Value};

use super::{Wanted, row::set, want::want};
use crate::{
    Error, projections,
    store::{TaskRow, one},
    tasks::checkpoint,
};

/// An evaluation ends: its scores become a point of the training's curves, and its checkpoint may go.
pub(in crate::tasks) async fn settle(
    tx: &Tx,
    row: &TaskRow,
    state: TaskState,
    figures: &Map<String, Value>,
) -> Result<(), Error> {
    let TaskSpec::Evaluation(spec) = row.spec()? else { return Ok(()) };
    let sql = "SELECT * FROM checkpoint_evaluations WHERE task = $1 AND state = 'made'";
    if let Some(wanted) = one::<Wanted>(&**tx, sql, [row.id.clone().into()]).await? {
        if state == TaskState::Succeeded {
            let points = points(&spec.datasets, figures);
            projections::put_scores(tx, &wanted.training, wanted.step, &points).await?;
            set(tx, &wanted, "scored", None).await?;
        } else {
            set(tx, &wanted, "failed", Some(&format!("its evaluation {} {}", row.id, state.as_str())))
                .await?;
            want_redone(tx, &wanted).await?;
        }
    }
    match spec.from_task.filter(|_| spec.checkpoint.is_some()) {
        Some(training) => checkpoint::forget_superseded(tx, training).await,
        None => Ok(()),
    }
}

/// The checkpoint may have been damaged and its step done again meanwhile: then that one is scored.
async fn want_redone(tx: &Tx, failed: &Wanted) -> Result<(), Error> {
    let kept = checkpoint::of_task(&**tx, failed.training()?).await?;
    let other = kept.into_iter().find(|kept| {
        kept.step == failed.step && kept.rejected == 0 && Some(&kept.id) != failed.checkpoint.as_ref()
    });
    match other.filter(|_| failed.checkpoint.is_some()) {
        Some(other) => want(tx, &failed.training, failed.step, Some(other.id)).await,
        None => Ok(()),
    }
}

/// `eval/<benchmark>/<metric>` of what was asked for; a filter that has a name stands behind the metric.
fn points(datasets: &[EvaluationDataset], figures: &Map<String, Value>) -> Vec<(String, f64)> {
    let mut points = Vec::new();
    for dataset in datasets {
        let own = match dataset.task {
            Some(_) => dataset.benchmark.clone(),
            None => benchmark_name(&dataset.benchmark),
        };
        let Some(name) = dataset.score_name(&own) else { continue };
        let scores = figures.get("scores").and_then(|scores| scores[&name].as_object());
        for (key, value) in scores.into_iter().flatten() {
            let (metric, filter) = key.split_once(',').unwrap_or((key, "none"));
            let Some(value) = value.as_f64().filter(|_| !metric.ends_with("_stderr")) else { continue };
            let filter = if filter == "none" { String::new() } else { format!(",{filter}") };
            points.push((format!("eval/{name}/{metric}{filter}"), value));
        }
    }
    points
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_score_is_named_by_benchmark_and_metric() {
        let entry = |value: Value| serde_json::from_value::<EvaluationDataset>(value).unwrap();
        let dataset = "ds-00000000000000000000000000000002";
        let datasets = [
            entry(json!({"benchmark": "lambada", "dataset": dataset})),
            entry(json!({"benchmark": "gsm8k", "dataset": dataset, "alias": "sums"})),
        ];
        let figures = json!({"scores": {
            "lambada_openai": {"acc,none": 0.5, "acc_stderr,none": 0.1, "perplexity,none": 7.25},
            "sums": {"exact_match,strict-match": 0.25, "exact_match_stderr,strict-match": "N/A"},
            "another": {"acc,none": 1.0},
        }});
        let named = points(&datasets, figures.as_object().unwrap());
        let wanted = [
            ("eval/lambada_openai/acc", 0.5),
            ("eval/lambada_openai/perplexity", 7.25),
            ("eval/sums/exact_match,strict-match", 0.25),
        ];
        assert_eq!(named, wanted.map(|(name, value)| (name.to_owned(), value)));
    }
}
