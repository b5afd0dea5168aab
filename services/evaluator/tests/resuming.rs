//! Checkpoints: an evaluation goes on elsewhere with the same results.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::path::PathBuf;

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::engine::Stop;
use serde_json::{Value, json};
use support::{Place, Ran, choice_rows};

const SAMPLES: &str = "samples_custom_multiple_choice.jsonl";

fn checkpoints(ran: &Ran) -> Vec<(u64, PathBuf)> {
    let lines = ran.lines.iter().filter(|line| line["type"] == "checkpoint");
    lines.map(|line| (line["step"].as_u64().unwrap(), line["path"].as_str().unwrap().into())).collect()
}

fn task(place: &Place) -> Value {
    json!({"name": "custom_multiple_choice", "dataset": place.rows("rows.jsonl", &choice_rows(12))})
}

#[test]
fn an_evaluation_goes_on_from_any_checkpoint_to_the_same_samples() {
    let place = Place::new();
    let eager = json!({"batch_tokens": 40, "checkpoint_dir": place.path("kept"), "checkpoint_seconds": 0});
    let ran = place.run(task(&place), "whole", eager);
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let all = checkpoints(&ran);
    assert!(all.len() > 2 && all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");
    // The two newest are still there; the older of them is a run that was killed.
    let (step, folder) = &all[all.len() - 2];
    let ran = place.run(task(&place), "elsewhere", json!({"batch_tokens": 40, "resume_from": folder}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert!(ran.logs().contains(&format!("{step} of 12 samples were scored before")), "{}", ran.logs());
    assert_eq!(place.read(&format!("elsewhere/{SAMPLES}")), place.read(&format!("whole/{SAMPLES}")));
}

#[test]
fn a_stop_leaves_a_checkpoint_of_everything_so_far() {
    let place = Place::new();
    let kept = json!({"checkpoint_dir": place.path("kept")});
    let two = |more: Value, output: &str, stop: &Stop| {
        let second = json!({"name": "custom_multiple_choice", "dataset": place.rows("more.jsonl", &choice_rows(5)), "alias": "second"});
        let mut spec = json!({"tasks": [task(&place), second]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.run_until(task(&place), output, spec, stop)
    };
    let whole = two(json!({}), "whole", &Stop::new());
    assert_eq!(whole.ending, ExitKind::Done, "{:#?}", whole.lines);
    // The first task was scored before the request to stop.
    let header = place.read("whole/responses_custom_multiple_choice.jsonl");
    place.file("out/responses_custom_multiple_choice.jsonl", &header);
    let stop = Stop::new();
    stop.request();
    let ran = two(kept, "out", &stop);
    assert_eq!(ran.ending, ExitKind::Stopped);
    let saved = checkpoints(&ran);
    assert_eq!(saved.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [12]);
    let ran = two(json!({"resume_from": saved[0].1}), "elsewhere", &Stop::new());
    assert!(ran.logs().contains("12 of 12 samples were scored before"), "{}", ran.logs());
    for name in [SAMPLES, "samples_second.jsonl"] {
        assert_eq!(place.read(&format!("elsewhere/{name}")), place.read(&format!("whole/{name}")));
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_corrupt() {
    let place = Place::new();
    let eager = json!({"checkpoint_dir": place.path("kept"), "checkpoint_seconds": 0});
    let folder = checkpoints(&place.run(task(&place), "whole", eager)).pop().unwrap().1;
    let other = place.run(task(&place), "other", json!({"resume_from": folder, "precision": "bf16"}));
    let missing = place.run(task(&place), "missing", json!({"resume_from": place.path("nothing")}));
    for ran in [other, missing] {
        assert_eq!(ran.ending, ExitKind::BadInput);
        assert_eq!(ran.error()["code"], "corrupt_checkpoint", "the worker goes back one: {}", ran.error());
    }
    assert!(checkpoints(&place.run(task(&place), "plain", json!({}))).is_empty(), "none unless asked for");
}
