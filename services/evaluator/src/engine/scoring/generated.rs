//! The metrics of a generated answer, held against one or several right answers.

use serde_json::Value;

use super::filters::{answer_text, target_text};
use super::metrics::{Metric, MetricOf};
use super::response::Filtered;
use super::rouge::rouge;
use super::token_f1::token_f1;
use crate::engine::tasks::{Doc, Task};

/// The metrics that a task may name, besides `rouge`, which stands for four of them.
pub(super) const METRICS: [&str; 10] =
    ["exact_match", "token_f1", "f1", "bleu", "chrf", "chrf++", "rouge1", "rouge2", "rougeL", "rougeLsum"];

/// The values of a row. `f1` is SQuAD's, over words: the harness's own fails on texts.
pub(super) fn generated(
    task: &Task,
    metrics: &[MetricOf],
    doc: &Doc,
    filtered: &[Filtered],
) -> Result<Vec<(String, Metric)>, String> {
    let answer = answer_text(filtered.first().ok_or("there is no answer")?)?;
    let references = references(task, doc)?;
    metrics.iter().map(|metric| Ok((metric.name.clone(), value(metric, &answer, &references)?))).collect()
}

fn value(metric: &MetricOf, answer: &str, references: &[String]) -> Result<Metric, String> {
    Ok(match metric.name.as_str() {
        "token_f1" | "f1" => {
            Metric::Number(references.iter().map(|reference| token_f1(answer, reference)).fold(0.0, f64::max))
        }
        "bleu" | "chrf" | "chrf++" => {
            Metric::Texts { references: references.to_vec(), answer: answer.to_owned() }
        }
        name => {
            if let Some(score) = rouge(name, answer, references) {
                return Ok(Metric::Number(score));
            }
            let matched = references.iter().map(|reference| metric.exact.matches(answer, reference));
            let matched: Vec<bool> = matched.collect::<Result<_, _>>()?;
            Metric::Number(f64::from(u8::from(matched.contains(&true))))
        }
    })
}

fn references(task: &Task, doc: &Doc) -> Result<Vec<String>, String> {
    let target = task.target(doc)?;
    Ok(match (&task.config.doc_to_choice, &target) {
        (Some(_), Value::Number(index)) => {
            let at = index.as_u64().and_then(|at| usize::try_from(at).ok());
            let choices = task.choices(doc)?;
            vec![at.and_then(|at| choices.get(at)).cloned().ok_or("doc_to_target is outside the choices")?]
        }
        (_, Value::Array(all)) if task.multiple_target => all.iter().map(target_text).collect(),
        (_, one) => vec![target_text(one)],
    })
}
