//! Answers of the model's own: the same however they are computed, ended as upstream ends them, broken models told.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::engine::Stop;
use serde_json::{Value, json};
use support::{Place, Ran};

const TASK: &str = "task: answers\ntest_split: test\ndoc_to_text: '{{question}}'\ndoc_to_target: '{{answer}}'\n\
    metric_list: [{metric: exact_match}]\n";

fn questions(place: &Place, count: usize) -> std::path::PathBuf {
    let begin = "the cat and the dog and the hat in the end there was one more thing. ";
    let rows: Vec<Value> = (0..count)
        .map(|n| {
            let begin = if n % 3 == 0 { "" } else { begin };
            json!({"question": format!("{begin}{}?", "why not ".repeat(1 + n % 4)), "answer": "x"})
        })
        .collect();
    place.rows("questions.jsonl", &rows)
}

fn answers(place: &Place, more: &str, output: &str, spec: Value) -> (Ran, Vec<Value>) {
    let rows = questions(place, 9);
    let file = place.file("answers.yaml", &format!("{TASK}{more}"));
    let ran = place.run(json!({"name": file, "dataset": rows}), output, spec);
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let samples = place.samples(&format!("{output}/samples_answers.jsonl"));
    (ran, samples.iter().map(|sample| sample["resps"].clone()).collect())
}

#[test]
fn answers_do_not_depend_on_batches_or_threads() {
    let place = Place::new();
    for (kind, arguments) in [
        ("greedy", "generation_kwargs: {until: ['zzz'], max_gen_toks: 12}\n"),
        (
            "drawn",
            "generation_kwargs: {until: ['zzz'], max_gen_toks: 12, do_sample: true, temperature: 1.0}\nrepeats: 2\nfilter_list: [{name: first, filter: [{function: take_first}]}]\n",
        ),
    ] {
        let seen: Vec<Vec<Value>> = [(1, 1), (7, 2), (100_000, 3)]
            .into_iter()
            .map(|(batch_tokens, threads)| {
                let spec = json!({"batch_tokens": batch_tokens, "threads": threads});
                answers(&place, arguments, &format!("{kind}{batch_tokens}"), spec).1
            })
            .collect();
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{kind}: {seen:#?}");
        assert!(seen[0].iter().any(|answer| answer[0][0] != ""), "{kind}: nothing was written");
        let two = seen[0].iter().any(|answer| answer[0].get(1).is_some_and(|second| *second != answer[0][0]));
        assert_eq!(two, kind == "drawn", "draws of one row differ");
    }
}

#[test]
fn any_text_may_be_a_stop_string() {
    let place = Place::new();
    let arguments = |stop: &str| {
        let until = json!([stop]);
        format!(
            "generation_kwargs: {{until: {until}, max_gen_toks: 12, do_sample: true, temperature: 1.0}}\n"
        )
    };
    let (_, free) = answers(&place, &arguments("zzz"), "free", json!({}));
    let texts: Vec<&str> = free.iter().map(|answer| answer[0][0].as_str().unwrap()).collect();
    // Not a character of the special tokens, which are never shown.
    let plain = |c: &char| c.is_ascii_graphic() && !"<|im_startend>".contains(*c);
    let stop = texts.iter().flat_map(|text| text.chars().skip(1)).find(plain).unwrap();
    let (_, cut) = answers(&place, &arguments(&stop.to_string()), "cut", json!({}));
    for (free, cut) in texts.iter().zip(&cut) {
        assert_eq!(cut[0][0], free.split(stop).next().unwrap(), "{free:?} at {stop:?}");
    }
}

#[test]
fn stopping_within_a_long_answer_keeps_what_is_answered() {
    let place = Place::new();
    let rows = questions(&place, 6);
    let arguments = "generation_kwargs: {until: ['zzz'], max_gen_toks: 12}\n";
    let file = place.file("answers.yaml", &format!("{TASK}{arguments}"));
    let task = json!({"name": file, "dataset": rows});
    let stop = Stop::new();
    stop.request();
    let ran = place.run_until(task.clone(), "out", json!({}), &stop);
    assert_eq!(ran.ending, ExitKind::Stopped);
    let whole = place.run(task.clone(), "whole", json!({}));
    assert_eq!(whole.ending, ExitKind::Done);
    let journal = place.read("whole/responses_answers.jsonl");
    let lines: Vec<&str> = journal.lines().take(4).collect();
    place.file("out/responses_answers.jsonl", &(lines.join("\n") + "\n"));
    let ran = place.run(task, "out", json!({}));
    assert!(ran.logs().contains("3 of 6 samples were scored before"), "{}", ran.logs());
    assert_eq!(place.read("out/samples_answers.jsonl"), place.read("whole/samples_answers.jsonl"));
}

#[test]
fn a_model_that_computes_nan_writes_no_answer() {
    let place = Place::new();
    place.break_model();
    let rows = questions(&place, 2);
    let file = place.file("answers.yaml", TASK);
    let ran = place.run(json!({"name": file, "dataset": rows}), "out", json!({}));
    assert_eq!(ran.ending, ExitKind::BadInput, "{:#?}", ran.lines);
    assert_eq!(ran.error()["code"], "not_a_number");
    assert!(ran.error()["message"].as_str().unwrap().contains("task answers, row"), "{}", ran.error());
}

#[test]
fn repeats_are_part_of_what_a_journal_is_for() {
    let place = Place::new();
    let arguments = |repeats: usize| {
        format!(
            "repeats: {repeats}\ngeneration_kwargs: {{until: ['zzz'], max_gen_toks: 4, do_sample: true, temperature: 1.0}}\nfilter_list: [{{name: f, filter: [{{function: take_first}}]}}]\n"
        )
    };
    answers(&place, &arguments(1), "out", json!({}));
    let file = place.file("answers.yaml", &format!("{TASK}{}", arguments(3)));
    let ran = place.run(json!({"name": file, "dataset": place.path("questions.jsonl")}), "out", json!({}));
    assert_eq!(ran.error()["code"], "other_evaluation");
    assert!(ran.error()["message"].as_str().unwrap().contains("repeats (1 there, 3 here)"));
}
