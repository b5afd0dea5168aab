//! Why two scores may differ: the settings, data and prompts that are not the same, by name.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::evaluation::Evaluation;
use crate::hash::Hash;
use crate::pairs::Pairs;

/// Something that differs and may move a score.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Cause {
    /// What differs, such as `chat_template`.
    pub what: String,
    /// It in the first evaluation.
    pub a: Value,
    /// It in the second.
    pub b: Value,
    /// What that means.
    pub explanation: String,
}

/// Settings of a whole evaluation: their name, where `results.json` has them, what a difference means.
const SETTINGS: [(&str, &str, &str); 9] = [
    ("model", "/config/model_sha", "the model's files are not the same"),
    ("backend", "/config/model", "another implementation computed the answers"),
    ("precision", "/config/model_dtype", "the weights were computed in another type of number"),
    ("device", "/config/device", "the answers were computed on another kind of device"),
    ("chat_template", "/chat_template_sha", "the prompts were wrapped by another chat template, or by none"),
    ("max_length", "/max_length", "longer prompts were cut at another length"),
    ("seed", "/config/random_seed", "examples were drawn by another seed"),
    ("engine_version", "/pretty_env_info", "another version of the evaluator ran"),
    ("harness_version", "/lm_eval_version", "tasks follow another version of lm-evaluation-harness"),
];

/// Settings of a task: their name, the section of `results.json`, the field in it, what a difference means.
const TASK_SETTINGS: [(&str, &str, Option<&str>, &str); 5] = [
    ("few_shot", "n-shot", None, "the prompts have another number of examples"),
    ("task_version", "versions", None, "the task's definition has another version"),
    ("split", "anneal", Some("split"), "another split was evaluated"),
    ("samples", "n-samples", None, "another number of samples was scored"),
    ("truncation", "anneal", Some("truncated_samples"), "another number of prompts was cut from the left"),
];

/// Fields of a task's definition that say nothing of how it is scored, or are told otherwise.
const SILENT_FIELDS: [&str; 5] = ["task_alias", "tag", "metadata", "num_fewshot", "dataset_kwargs"];

/// The settings of the two evaluations that differ.
pub(crate) fn of_evaluations(a: &Evaluation, b: &Evaluation) -> Vec<Cause> {
    let at = |evaluation: &Evaluation, place| evaluation.results.pointer(place).cloned().unwrap_or_default();
    SETTINGS
        .iter()
        .filter_map(|(what, place, explanation)| {
            Cause::unless_equal(what, at(a, place), at(b, place), explanation)
        })
        .collect()
}

/// What differs between two evaluations of one task.
pub(crate) fn of_task(task: &str, a: &Evaluation, b: &Evaluation, pairs: &Pairs) -> Vec<Cause> {
    let setting = |evaluation: &Evaluation, section: &str, field: Option<&str>| {
        let value = &evaluation.results[section][task];
        field.map_or(value, |field| &value[field]).clone()
    };
    let mut causes: Vec<Cause> = TASK_SETTINGS
        .iter()
        .filter_map(|(what, section, field, explanation)| {
            Cause::unless_equal(what, setting(a, section, *field), setting(b, section, *field), explanation)
        })
        .collect();
    causes.extend(definition(task, a, b));
    causes.extend(content(pairs));
    causes
}

/// The fields of the task's definition that differ.
fn definition(task: &str, a: &Evaluation, b: &Evaluation) -> Vec<Cause> {
    let (a, b) = (&a.results["configs"][task], &b.results["configs"][task]);
    let mut fields: Vec<&String> =
        [a, b].iter().filter_map(|config| config.as_object()).flat_map(|config| config.keys()).collect();
    fields.sort_unstable();
    fields.dedup();
    fields
        .into_iter()
        .filter(|field| !SILENT_FIELDS.contains(&field.as_str()))
        .filter_map(|field| {
            let explanation = format!("the task's `{field}` is not the same");
            Cause::unless_equal("task_definition", a[field].clone(), b[field].clone(), &explanation)
        })
        .collect()
}

/// Rows, prompts and targets that differ.
fn content(pairs: &Pairs) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !(pairs.only_a.is_empty() && pairs.only_b.is_empty()) {
        let explanation = format!(
            "{} rows are only in A and {} only in B; only rows in both are compared",
            pairs.only_a.len(),
            pairs.only_b.len()
        );
        causes.push(Cause {
            what: "data".to_owned(),
            a: json!({"rows_only_here": pairs.only_a}),
            b: json!({"rows_only_here": pairs.only_b}),
            explanation,
        });
    }
    let prompts = pairs.both.iter().filter(|(a, b)| a.prompt_hash != b.prompt_hash);
    causes.extend(hashes(
        "prompts",
        "prompt",
        prompts.map(|(a, b)| (a.doc_id, &a.prompt_hash, &b.prompt_hash)),
    ));
    let targets = pairs.both.iter().filter(|(a, b)| a.target_hash != b.target_hash);
    causes.extend(hashes(
        "targets",
        "right answer",
        targets.map(|(a, b)| (a.doc_id, &a.target_hash, &b.target_hash)),
    ));
    causes
}

/// How many hashes differ, and the first of them.
fn hashes<'a>(
    what: &str,
    noun: &str,
    mut different: impl Iterator<Item = (usize, &'a Hash, &'a Hash)>,
) -> Option<Cause> {
    let (doc_id, a, b) = different.next()?;
    let count = 1 + different.count();
    Some(Cause {
        what: what.to_owned(),
        a: json!({"doc_id": doc_id, "hash": a}),
        b: json!({"doc_id": doc_id, "hash": b}),
        explanation: format!("{count} samples have another {noun} for the same row; the first is {doc_id}"),
    })
}

impl Cause {
    fn unless_equal(what: &str, a: Value, b: Value, explanation: &str) -> Option<Self> {
        (a != b).then(|| Self { what: what.to_owned(), a, b, explanation: explanation.to_owned() })
    }
}
