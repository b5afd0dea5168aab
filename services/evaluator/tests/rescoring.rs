//! Answers of an earlier evaluation, scored again: other filters and metrics over the same texts, and never other prompts.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::needless_pass_by_value, reason = "calls read better with json! in place")]

mod support;

use anneal_contracts::engine::ExitKind;
use serde_json::{Value, json};
use support::{Place, Ran, choice_rows};

const TASK: &str = "task: answers\ntest_split: test\ndoc_to_text: '{{question}}'\ndoc_to_target: '{{answer}}'\n\
    generation_kwargs: {until: ['zzz'], max_gen_toks: 4}\n";
const EXACT: &str = "metric_list: [{metric: exact_match}]\n";
const JOURNAL: &str = "responses_answers.jsonl";

/// Four questions, evaluated by a task file of these fields.
fn run(place: &Place, fields: &str, output: &str, task: Value, spec: Value) -> Ran {
    let rows: Vec<Value> =
        (0..4).map(|n| json!({"question": format!("the cat {n}?"), "answer": "42"})).collect();
    let rows = place.rows("questions.jsonl", &rows);
    let file = place.file(&format!("{output}.yaml"), fields);
    let mut entry = json!({"name": file, "dataset": rows});
    entry.as_object_mut().unwrap().extend(task.as_object().unwrap().clone());
    place.run(entry, output, spec)
}

fn again(place: &Place, fields: &str, output: &str, task: Value) -> Ran {
    run(place, fields, output, task, json!({"rescore_from": place.path("first")}))
}

/// An evaluation, after which every answer is made to be a sentence with the right number in it.
fn first(place: &Place) {
    let ran = run(place, &format!("{TASK}{EXACT}"), "first", json!({}), json!({}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert_eq!(ran.stages(), ["open_model", "load_weights", "answers", "results"]);
    let mut journal = place.samples(&format!("first/{JOURNAL}"));
    for line in &mut journal[1..] {
        line["responses"] = json!([[{"text": "I think it is 42."}]]);
    }
    place.rows(&format!("first/{JOURNAL}"), &journal);
}

#[test]
fn other_filters_and_metrics_read_the_same_answers() {
    let place = Place::new();
    first(&place);
    let ran = again(&place, &format!("{TASK}{EXACT}"), "same", json!({}));
    assert_eq!(ran.result()["scores"]["answers"]["exact_match,none"], 0.0);
    assert_eq!(ran.stages(), ["open_model", "answers", "results"], "weights are not needed");
    let filters = "filter_list: [{name: number, filter: [{function: regex, regex_pattern: '([0-9]+)'}, {function: take_first}]}]\n\
        metric_list: [{metric: exact_match}, {metric: token_f1}]\n";
    let ran = again(&place, &format!("{TASK}{filters}"), "other", json!({}));
    let scores = &ran.result()["scores"]["answers"];
    assert_eq!((&scores["exact_match,number"], &scores["token_f1,number"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(
        (&ran.result()["rescored"], &place.json("other/results.json")["rescored"]),
        (&json!(true), &json!(true))
    );
    let samples = place.samples("other/samples_answers.jsonl");
    assert_eq!(samples[0]["resps"], json!([["I think it is 42."]]), "the model was not asked");
    assert_eq!(samples[0]["filtered_resps"], json!(["42"]));
    // What was scored again can be scored again.
    let more = json!({"rescore_from": place.path("other")});
    let ran = run(&place, &format!("{TASK}{filters}"), "third", json!({"limit": 2}), more);
    assert_eq!(
        (&ran.result()["samples"], &ran.result()["scores"]["answers"]["exact_match,number"]),
        (&json!(2), &json!(1.0))
    );
}

#[test]
fn other_prompts_settings_and_models_are_refused() {
    let place = Place::new();
    first(&place);
    let refused = |ran: Ran, parts: &[&str]| {
        assert_eq!(ran.ending, ExitKind::BadInput, "{:#?}", ran.lines);
        let error = ran.error();
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("other_answers"), &json!("rescore_from")),
            "{error}"
        );
        let message = error["message"].as_str().unwrap();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    };
    let with = |from: &str, to: &str| format!("{TASK}{EXACT}").replace(from, to);
    refused(
        again(&place, &with("'{{question}}'", "'Q: {{question}}'"), "a", json!({})),
        &["row 1", "prompt"],
    );
    refused(
        again(&place, &with("max_gen_toks: 4", "max_gen_toks: 5"), "b", json!({})),
        &["row 1", "stop rules"],
    );
    refused(
        again(&place, &with("task: answers", "task: others"), "c", json!({})),
        &["no answers of task others"],
    );
    let spec = json!({"rescore_from": place.path("first"), "precision": "bf16"});
    refused(run(&place, &format!("{TASK}{EXACT}"), "d", json!({}), spec), &["precision", "fp32", "bf16"]);
    place.break_model();
    refused(again(&place, &format!("{TASK}{EXACT}"), "e", json!({})), &["model"]);
}

#[test]
fn rows_that_were_not_answered_are_not_asked_now() {
    let place = Place::new();
    let rows = place.rows("rows.jsonl", &choice_rows(12));
    let task =
        |limit: Option<u64>| json!({"name": "custom_multiple_choice", "dataset": rows, "limit": limit});
    assert_eq!(place.run(task(Some(8)), "few", json!({})).ending, ExitKind::Done);
    let whole = place.run(task(Some(8)), "again", json!({"rescore_from": place.path("few")}));
    assert_eq!(whole.ending, ExitKind::Done, "{:#?}", whole.lines);
    let samples = "samples_custom_multiple_choice.jsonl";
    assert_eq!(place.read(&format!("again/{samples}")), place.read(&format!("few/{samples}")));
    let more = place.run(task(None), "more", json!({"rescore_from": place.path("few")}));
    assert_eq!((more.ending, &more.error()["code"]), (ExitKind::BadInput, &json!("invalid_row")));
    assert!(more.error()["message"].as_str().unwrap().contains("row 9"), "{}", more.error());
}
