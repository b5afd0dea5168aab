//! What is wrong with a spec, a task file, a dataset or a model is said with its field, file and row.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::ExitKind;
use serde_json::{Value, json};
use support::{Place, Ran, choice_rows};

#[track_caller]
fn refused(ran: &Ran, code: &str, parts: &[&str]) {
    assert_eq!(ran.ending, ExitKind::BadInput, "{:#?}", ran.lines);
    assert_eq!(ran.error()["code"], code, "{}", ran.error());
    let message = ran.error()["message"].as_str().unwrap();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn a_spec_with_an_unknown_key_is_refused() {
    let place = Place::new();
    let task = json!({"name": "arc_easy", "dataset": place.path("rows.jsonl")});
    refused(&place.run(task.clone(), "out", json!({"batchtokens": 3})), "invalid_spec", &["batchtokens"]);
    refused(&place.run(task.clone(), "out", json!({"device": "cuda:99"})), "invalid_spec", &["cuda:99"]);
    refused(&place.run(task, "out", json!({})), "invalid_dataset", &["no such file"]);
    let unknown = json!({"name": "arc_esy", "dataset": "x"});
    refused(&place.run(unknown, "out", json!({})), "invalid_spec", &["arc_esy", "arc_easy"]);
}

#[test]
fn a_task_file_with_an_unknown_field_is_refused() {
    let place = Place::new();
    let file = place.file("mine.yaml", "task: mine\noutput_type: multiple_choice\ndoc_to_txt: '{{q}}'\n");
    let rows = place.rows("rows.jsonl", &choice_rows(3));
    refused(
        &place.run(json!({"name": file, "dataset": rows}), "out", json!({})),
        "invalid_task",
        &["mine.yaml", "doc_to_txt"],
    );
}

const LABELLED: &str = "task: mine\noutput_type: multiple_choice\ntest_split: test\ndoc_to_text: '{{question}}'\n\
    doc_to_choice: '{{choices}}'\ndoc_to_target: \"{{['A', 'B', 'C', 'D'].index(key)}}\"\n";

fn labelled(count: usize) -> Vec<Value> {
    let mut rows = choice_rows(count);
    for row in &mut rows {
        row["key"] = json!("B");
    }
    rows
}

#[test]
fn a_template_that_fails_on_row_17_names_it() {
    let place = Place::new();
    let file = place.file("mine.yaml", LABELLED);
    let mut rows = labelled(20);
    rows[16]["key"] = json!("Z");
    let data = place.rows("rows.jsonl", &rows);
    let ran = place.run(json!({"name": file, "dataset": data}), "out", json!({}));
    refused(&ran, "invalid_row", &["row 17 (line 17)", "Z is not in the list", "at most 1%"]);
    assert_eq!(ran.error()["field"], "mine:17");
}

#[test]
fn one_bad_row_among_many_is_left_out_and_told() {
    let place = Place::new();
    let file = place.file("mine.yaml", LABELLED);
    let mut rows = labelled(150);
    rows[16]["key"] = json!("Z");
    let data = place.rows("rows.jsonl", &rows);
    let ran = place.run(json!({"name": file, "dataset": data}), "out", json!({}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert!(
        ran.logs().contains("1 of 150 rows are left out; the first is row 17 (line 17)"),
        "{}",
        ran.logs()
    );
    let results = place.json("out/results.json");
    assert_eq!(results["n-samples"]["mine"], json!({"original": 150, "effective": 149}));
    assert_eq!(results["anneal"]["mine"]["bad_rows"][0]["row"], 17);
    assert_eq!(place.samples("out/samples_mine.jsonl")[16]["doc_id"], 17, "rows keep their numbers");
}

#[test]
fn a_missing_column_is_named_with_those_that_exist() {
    let place = Place::new();
    let data = place.rows("rows.jsonl", &[json!({"goal": "x", "sol1": "a", "label": 0})]);
    let ran = place.run(json!({"name": "piqa", "dataset": data}), "out", json!({}));
    refused(&ran, "invalid_row", &["row 1", "`sol2`", "goal, sol1, label"]);
    let data = place.rows("broken.jsonl", &[json!({"question": "x"}), json!({"question": "y"})]);
    let ran = place.run(json!({"name": "custom_question_answer", "dataset": data}), "out2", json!({}));
    refused(&ran, "invalid_row", &["`answer`", "first of 2 bad rows"]);
}

#[test]
fn long_prompts_are_cut_from_the_left_and_counted() {
    let place = Place::new();
    let rows = place.rows(
        "rows.jsonl",
        &[
            json!({"question": "the cat and the dog ".repeat(20), "choices": ["a", "b"], "answer": 0}),
            json!({"question": "x", "choices": ["a", "b"], "answer": 1}),
        ],
    );
    let ran = place.run(
        json!({"name": "custom_multiple_choice", "dataset": rows}),
        "out",
        json!({"max_length": 40}),
    );
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert!(ran.logs().contains("1 prompts were longer than the context"), "{}", ran.logs());
    let details = &place.json("out/results.json")["anneal"]["custom_multiple_choice"];
    assert_eq!(details["truncated_samples"], 1);
    let sample = &place.samples("out/samples_custom_multiple_choice.jsonl")[0];
    assert_eq!(sample["truncated_tokens"], details["truncated_tokens"]);
}

#[test]
fn a_model_that_computes_nan_is_an_error_not_a_score() {
    let place = Place::new();
    place.break_model();
    let rows = place.rows("rows.jsonl", &choice_rows(3));
    let ran = place.run(json!({"name": "custom_multiple_choice", "dataset": rows}), "out", json!({}));
    refused(&ran, "not_a_number", &["NaN", "custom_multiple_choice", "row"]);
}

#[test]
fn a_conversation_without_a_template_and_an_empty_file_are_refused() {
    let place = Place::new();
    let empty = place.file("empty.jsonl", "");
    let ran = place.run(json!({"name": "custom_multiple_choice", "dataset": empty}), "out", json!({}));
    assert_eq!(ran.ending, ExitKind::BadInput, "{:#?}", ran.lines);
    let rows =
        place.rows("rows.jsonl", &[json!({"messages": [{"role": "user", "content": "only a question"}]})]);
    let ran = place.run(json!({"name": "heldout_loss", "dataset": rows}), "out2", json!({}));
    assert_eq!(ran.ending, ExitKind::BadInput, "{:#?}", ran.lines);
}

#[test]
fn the_share_of_bad_rows_is_the_spec_s() {
    let place = Place::new();
    let file = place.file("mine.yaml", LABELLED);
    let mut rows = labelled(20);
    rows[16]["key"] = json!("Z");
    let data = place.rows("rows.jsonl", &rows);
    let run = |output: &str, share: f64| {
        place.run(json!({"name": file, "dataset": data}), output, json!({"bad_row_share": share}))
    };
    assert_eq!(run("out", 0.05).ending, ExitKind::Done);
    refused(&run("strict", 0.0), "invalid_row", &["row 17", "at most 0%"]);
    refused(&run("wrong", 1.5), "invalid_spec", &["between 0 and 1"]);
}

#[test]
fn a_bad_example_row_is_left_out_like_any_other() {
    let place = Place::new();
    let mut rows = choice_rows(8);
    place.rows("data/test.jsonl", &rows);
    rows[3] = json!({"question": "no choices"});
    place.rows("data/dev.jsonl", &rows);
    let yaml = "task: mine\noutput_type: multiple_choice\ntest_split: test\nfewshot_split: dev\n\
        process_docs: !function anneal.multiple_choice_docs\ndoc_to_text: question\ndoc_to_choice: choices\ndoc_to_target: gold\n";
    let file = place.file("mine.yaml", yaml);
    let task = json!({"name": file, "dataset": place.path("data"), "num_fewshot": 2});
    refused(&place.run(task.clone(), "out", json!({})), "invalid_row", &["row 4", "of the examples' split"]);
    let ran = place.run(task, "out", json!({"bad_row_share": 0.2}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert_eq!(place.json("out/results.json")["anneal"]["mine"]["bad_example_rows"][0]["row"], 4);
}
