//! The leak check: evaluated rows that the training data has too are told, with where they are.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::engine::Stop;
use serde_json::{Value, json};
use support::{Place, Ran};

const LONG: &str = "In the end there was one more thing that they said to the cat and the dog";

/// Questions of which the second is long and the third short.
fn questions(place: &Place) -> Value {
    let row = |question: &str| json!({"question": question, "choices": ["yes", "no"], "answer": 0});
    let rows = [
        row("What is nowhere else?"),
        row(&format!("{LONG}, and why?")),
        row("Who sat on the hat?"),
        row("Is it so?"),
    ];
    json!({"name": "custom_multiple_choice", "dataset": place.rows("questions.jsonl", &rows)})
}

fn checked(place: &Place, training: &[(&str, &std::path::Path)], output: &str) -> Ran {
    let data: Vec<Value> = training.iter().map(|(name, path)| json!({"name": name, "path": path})).collect();
    place.run(questions(place), output, json!({"leak_check": data}))
}

#[test]
fn rows_of_the_training_data_are_found_by_their_words() {
    let place = Place::new();
    let chat = place.rows(
        "chat/train.jsonl",
        &[
            json!({"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}),
            json!({"messages": [{"role": "user", "content": "Tell me: WHO sat -- on the hat!?"}, {"role": "assistant", "content": "The cat."}]}),
        ],
    );
    place.file("texts.txt", &format!("Once upon a time.\n{}\n", LONG.to_uppercase().replace(' ', "  ")));
    let data = [("chat v1", chat.parent().unwrap()), ("texts", &place.path("texts.txt"))];
    let ran = checked(&place, &data, "out");
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let share = json!({"checked": 4, "found": 2, "share": 0.5});
    assert_eq!(ran.result()["leaks"]["custom_multiple_choice"], share);
    assert_eq!(place.json("out/results.json")["leaks"]["tasks"]["custom_multiple_choice"], share);
    assert!(ran.logs().contains("2 of 4 samples are in the training data too"), "{}", ran.logs());
    let report = place.json("out/leaks.json");
    assert_eq!((&report["ngram"], &report["training_data"][0]["rows"]), (&json!(13), &json!(2)));
    let rows = report["tasks"]["custom_multiple_choice"]["rows"].as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (&row["doc_id"], &row["training_data"], &row["file"], &row["training_line"]))
        .collect();
    let (long, short) = ((json!(1), json!("texts")), (json!(2), json!("chat v1")));
    assert_eq!(
        told,
        [
            (&long.0, &long.1, &json!("texts.txt"), &json!(2)),
            (&short.0, &short.1, &json!("train.jsonl"), &json!(2)),
        ]
    );
    assert_eq!(rows[0]["gram"], "in the end there was one more thing that they said to the");
    assert_eq!(rows[1]["gram"], "who sat on the hat");
}

#[test]
fn an_evaluation_without_training_data_checks_nothing_and_a_clean_one_says_so() {
    let place = Place::new();
    let clean =
        place.rows("clean.jsonl", &[json!({"text": "Nothing of it. In the end there was one more thing."})]);
    let ran = checked(&place, &[("clean", &clean)], "clean");
    let share = json!({"checked": 4, "found": 0, "share": 0.0});
    assert_eq!(
        ran.result()["leaks"]["custom_multiple_choice"],
        share,
        "twelve words of thirteen are no leak"
    );
    let ran = checked(&place, &[], "none");
    assert_eq!(ran.result()["leaks"], Value::Null);
    assert!(!place.path("none/leaks.json").exists());
}

#[test]
fn training_data_that_is_not_there_is_refused_before_anything_is_scored() {
    let place = Place::new();
    let ran = checked(&place, &[("gone", &place.path("gone.jsonl"))], "out");
    assert_eq!((ran.ending, &ran.error()["field"]), (ExitKind::BadInput, &json!("leak_check[0].path")));
    assert!(!place.path("out").exists());
}

#[test]
fn a_check_that_is_stopped_goes_on_with_what_was_scored() {
    let place = Place::new();
    let rows: Vec<Value> = (0..5000).map(|n| json!({"text": format!("text {n}")})).collect();
    let many = place.rows("many.jsonl", &rows);
    let data = json!([{"name": "many", "path": many}]);
    let scored = place.run(questions(&place), "out", json!({}));
    assert_eq!(scored.ending, ExitKind::Done);
    let stop = Stop::new();
    stop.request();
    let ran = place.run_until(questions(&place), "out", json!({"leak_check": data}), &stop);
    assert_eq!(ran.ending, ExitKind::Stopped, "{:#?}", ran.lines);
    let ran = place.run(questions(&place), "out", json!({"leak_check": data}));
    assert!(ran.logs().contains("4 of 4 samples were scored before"), "{}", ran.logs());
    assert_eq!(ran.result()["leaks"]["custom_multiple_choice"]["found"], 0);
}
