//! Two evaluations held against each other, as tables: what changed, and what may have caused it.

use anneal_domain::id::TaskId;
use serde_json::{Value, json};

use crate::{client::Api, failure::Failure, output::Output};

const FIGURES: [&str; 10] = [
    "benchmark",
    "metric",
    "samples",
    "a",
    "b",
    "difference",
    "interval",
    "right_to_wrong",
    "wrong_to_right",
    "p",
];
const CAUSES: [&str; 5] = ["benchmark", "differs", "a", "b", "explanation"];

pub(super) async fn compare(api: &Api, output: &Output, a: TaskId, b: TaskId) -> Result<(), Failure> {
    let answer = api.get(&format!("tasks/{a}/comparison"), &[("with", b.to_string())]).await?;
    if output.is_json() {
        return output.value(&answer);
    }
    let sides: Vec<Value> = ["a", "b"].iter().map(|side| named(side, &answer[side])).collect();
    output.list(&json!(sides), &["side", "id", "name", "model_name", "model", "finished_at"])?;
    output.text("\n")?;
    output.list(&json!(figures(&answer)), &FIGURES)?;
    let causes = causes(&answer);
    if causes.is_empty() {
        return output.text("\nno setting, row or prompt differs\n");
    }
    output.text("\nwhy they may differ:\n")?;
    output.list(&json!(causes), &CAUSES)
}

fn named(side: &str, evaluation: &Value) -> Value {
    let mut row = evaluation.clone();
    row["side"] = json!(side.to_uppercase());
    row
}

/// A row for each metric of each benchmark, and of each group of them.
fn figures(answer: &Value) -> Vec<Value> {
    let benchmarks = entries(&answer["tasks"]).map(|(name, task)| (name.clone(), &task["metrics"]));
    let groups = entries(&answer["groups"]).map(|(name, metrics)| (format!("{name} (group)"), metrics));
    let mut rows = Vec::new();
    for (benchmark, metrics) in benchmarks.chain(groups) {
        for (name, metric) in entries(metrics) {
            let interval = metric["interval"]["low"].as_f64().zip(metric["interval"]["high"].as_f64());
            rows.push(json!({
                "benchmark": benchmark, "metric": name, "samples": metric["samples"], "a": metric["a"], "b": metric["b"],
                "difference": metric["difference"].as_f64().map(|difference| format!("{difference:+.4}")),
                "interval": interval.map(|(low, high)| format!("{low:+.4} to {high:+.4}")),
                "right_to_wrong": metric["flips"]["right_to_wrong"]["count"],
                "wrong_to_right": metric["flips"]["wrong_to_right"]["count"],
                "p": metric["flips"]["mcnemar_p"],
            }));
        }
    }
    rows
}

/// What differs in everything, then what differs in a benchmark alone.
fn causes(answer: &Value) -> Vec<Value> {
    let of_all = std::iter::once((json!("all"), &answer["causes"]));
    let own = entries(&answer["tasks"]).map(|(name, task)| (json!(name), &task["causes"]));
    let mut rows = Vec::new();
    for (benchmark, causes) in of_all.chain(own) {
        for cause in causes.as_array().into_iter().flatten() {
            rows.push(json!({
                "benchmark": benchmark, "differs": cause["what"], "a": cause["a"], "b": cause["b"],
                "explanation": cause["explanation"],
            }));
        }
    }
    rows
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_and_every_cause_has_its_row() {
        let metric = json!({"samples": 4, "a": 0.5, "b": 0.25, "difference": -0.25, "interval": {"low": -0.5, "high": 0.0},
            "flips": {"right_to_wrong": {"count": 1}, "wrong_to_right": {"count": 0}, "mcnemar_p": 1.0}});
        let cause = |what: &str| json!({"what": what, "a": 1, "b": 2, "explanation": "…"});
        let answer = json!({
            "causes": [cause("precision")],
            "tasks": {"piqa": {"causes": [cause("few_shot")], "metrics": {"acc,none": metric.clone()}}},
            "groups": {"mmlu": {"acc,none": metric}},
        });
        let rows = figures(&answer);
        assert_eq!((&rows[0]["benchmark"], &rows[1]["benchmark"]), (&json!("piqa"), &json!("mmlu (group)")));
        assert_eq!(
            (&rows[0]["difference"], &rows[0]["interval"]),
            (&json!("-0.2500"), &json!("-0.5000 to +0.0000"))
        );
        assert_eq!((&rows[0]["right_to_wrong"], &rows[0]["p"]), (&json!(1), &json!(1.0)));
        let named: Vec<_> = causes(&answer)
            .iter()
            .map(|cause| (cause["benchmark"].clone(), cause["differs"].clone()))
            .collect();
        assert_eq!(named, [(json!("all"), json!("precision")), (json!("piqa"), json!("few_shot"))]);
    }
}
