//! Two evaluations of the tiny model, compared: what changed, whether by chance, and why.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::needless_pass_by_value, reason = "calls read better with json! in place")]

mod support;

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::compare;
use serde_json::{Value, json};
use support::{Place, choice_rows};

const TASK: &str = "custom_multiple_choice";

fn evaluate(place: &Place, rows: &[Value], output: &str, task: Value, spec: Value) {
    let file = place.rows(&format!("{output}.jsonl"), rows);
    let mut fields = json!({"name": TASK, "dataset": file});
    fields.as_object_mut().unwrap().extend(task.as_object().unwrap().clone());
    let ran = place.run(fields, output, spec);
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
}

fn compared(place: &Place, a: &str, b: &str) -> (Value, String) {
    let (mut json, mut text) = (Vec::new(), Vec::new());
    let ending = compare::run(&place.path(a), &place.path(b), &mut json, &mut text);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(ending, ExitKind::Done, "{text}");
    (serde_json::from_slice(&json).unwrap(), text)
}

fn causes(of: &Value) -> Vec<&str> {
    of["causes"].as_array().unwrap().iter().map(|cause| cause["what"].as_str().unwrap()).collect()
}

#[test]
fn the_same_evaluation_twice_differs_in_nothing() {
    let place = Place::new();
    evaluate(&place, &choice_rows(12), "a", json!({}), json!({}));
    evaluate(&place, &choice_rows(12), "b", json!({}), json!({"batch_tokens": 64, "threads": 1}));
    let (found, _) = compared(&place, "a", "b");
    assert_eq!(causes(&found), Vec::<&str>::new());
    let task = &found["tasks"][TASK];
    assert_eq!(causes(task), Vec::<&str>::new());
    assert_eq!((&task["samples"], &task["other_answer"]), (&json!(12), &json!(0)));
    let acc = &task["metrics"]["acc,none"];
    assert_eq!((&acc["difference"], &acc["flips"]["mcnemar_p"]), (&json!(0.0), &json!(1.0)));
    assert_eq!(acc["figure_a"], place.json("a/results.json")["results"][TASK]["acc,none"]);
}

#[test]
fn every_setting_that_differs_is_named() {
    let place = Place::new();
    evaluate(&place, &choice_rows(12), "a", json!({"num_fewshot": 0}), json!({}));
    let spec = json!({"apply_chat_template": true, "precision": "bf16", "max_length": 90});
    evaluate(&place, &choice_rows(12)[..10], "b", json!({"num_fewshot": 1}), spec);
    let (found, text) = compared(&place, "a", "b");
    assert_eq!(causes(&found), ["precision", "chat_template", "max_length"]);
    assert_eq!((&found["causes"][0]["a"], &found["causes"][0]["b"]), (&json!("fp32"), &json!("bf16")));
    let task = &found["tasks"][TASK];
    for cause in ["few_shot", "samples", "data", "prompts"] {
        assert!(causes(task).contains(&cause), "{cause} is not among {:?}", causes(task));
        assert!(text.contains(&format!("{cause} differs")), "{text}");
    }
    let data = task["causes"].as_array().unwrap().iter().find(|cause| cause["what"] == "data").unwrap();
    assert_eq!(data["a"]["rows_only_here"], json!([10, 11]));
    assert_eq!((&task["samples"], &task["same_prompt"]), (&json!(10), &json!(0)));
}

#[test]
fn rows_are_paired_by_what_they_hold_and_flips_are_counted() {
    let place = Place::new();
    let rows = choice_rows(20);
    evaluate(&place, &rows, "a", json!({}), json!({}));
    let mut reversed = rows.clone();
    reversed.reverse();
    evaluate(&place, &reversed, "b", json!({}), json!({}));
    // The second evaluation is made to judge three of its rows otherwise.
    let samples = format!("b/samples_{TASK}.jsonl");
    let mut lines = place.samples(&samples);
    let mut flipped: Vec<(usize, bool)> = Vec::new();
    for line in lines.iter_mut().filter(|line| [0, 4, 9].contains(&line["doc_id"].as_u64().unwrap())) {
        let right = line["acc"] == 1.0;
        line["acc"] = json!(f64::from(u8::from(!right)));
        flipped.push((19 - usize::try_from(line["doc_id"].as_u64().unwrap()).unwrap(), right));
    }
    place.rows(&samples, &lines);
    let (found, text) = compared(&place, "a", "b");
    let acc = &found["tasks"][TASK]["metrics"]["acc,none"];
    let ids = |right: bool| {
        let mut ids: Vec<usize> =
            flipped.iter().filter(|(_, was)| *was == right).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        json!({"count": ids.len(), "ids": ids})
    };
    assert_eq!(acc["flips"]["right_to_wrong"], ids(true));
    assert_eq!(acc["flips"]["wrong_to_right"], ids(false));
    let difference = acc["difference"].as_f64().unwrap();
    let (low, high) = (acc["interval"]["low"].as_f64().unwrap(), acc["interval"]["high"].as_f64().unwrap());
    assert!(low <= difference && difference <= high, "{acc}");
    let lost = ids(true)["count"].as_f64().unwrap();
    assert!((difference - (3.0 - 2.0 * lost) / 20.0).abs() < 1e-12, "{difference}");
    assert!(acc["difference_stderr"].as_f64().unwrap() > 0.0);
    assert!(text.contains("McNemar"), "{text}");
    assert_eq!(causes(&found["tasks"][TASK]), Vec::<&str>::new(), "the order of rows is no cause");
}

#[test]
fn perplexities_are_compared_by_unit_and_changed_samples_told() {
    let place = Place::new();
    let file = place.rows(
        "texts.jsonl",
        &[json!({"text": "the cat sat on the mat "}), json!({"text": "a dog and the hat"})],
    );
    for (output, length) in [("a", 8), ("b", 64)] {
        place.run(json!({"name": "perplexity", "dataset": file}), output, json!({"max_length": length}));
    }
    let (found, _) = compared(&place, "a", "b");
    let metric = &found["tasks"]["perplexity"]["metrics"]["byte_perplexity,none"];
    let figure = metric["figure_b"].as_f64().unwrap();
    assert!((figure - (-metric["b"].as_f64().unwrap()).exp()).abs() < 1e-9, "{metric}");
    assert!(metric.get("flips").is_none());
    assert_eq!(metric["changed"][0]["doc_id"], 0);
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let place = Place::new();
    evaluate(&place, &choice_rows(3), "a", json!({}), json!({}));
    let refused = |b: &str| {
        let (mut json, mut text) = (Vec::new(), Vec::new());
        let ending = compare::run(&place.path("a"), &place.path(b), &mut json, &mut text);
        assert_eq!((ending, json.len()), (ExitKind::BadInput, 0));
        String::from_utf8(text).unwrap()
    };
    assert!(refused("nowhere").contains("nowhere/results.json"));
    place.file("other/results.json", "{\"results\": {}, \"configs\": {\"piqa\": {}}}");
    let message = refused("other");
    assert!(message.contains(TASK) && message.contains("piqa"), "{message}");
    place.file("empty/results.json", "{}");
    assert!(refused("empty").contains("`configs`"));
    let results = place.read("a/results.json");
    place.file("torn/results.json", &results);
    place.file(&format!("torn/samples_{TASK}.jsonl"), "{\"doc_id\": 0");
    assert!(refused("torn").contains("line 1"));
}
