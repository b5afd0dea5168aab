//! Whole evaluations of the tiny model: figures, files, independence of how it is run, resuming.
#![allow(clippy::needless_pass_by_value, reason = "calls read better with json! in place")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::engine::Stop;
use serde_json::{Value, json};
use support::{Place, choice_rows};

fn custom(place: &Place, rows: usize, more: Value) -> Value {
    let file = place.rows("rows.jsonl", &choice_rows(rows));
    let mut task = json!({"name": "custom_multiple_choice", "dataset": file});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

const SAMPLES: &str = "samples_custom_multiple_choice.jsonl";
const JOURNAL: &str = "responses_custom_multiple_choice.jsonl";

#[test]
fn results_and_samples_have_the_harness_s_shape() {
    let place = Place::new();
    let ran = place.run(custom(&place, 12, json!({"num_fewshot": 2, "limit": 10})), "out", json!({}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert_eq!(ran.result()["samples"], 10);
    let results = place.json("out/results.json");
    assert_eq!(results["model_name"], json!(place.path("model")));
    let scores = &results["results"]["custom_multiple_choice"];
    assert!(scores["acc,none"].is_f64() && scores["acc_stderr,none"].is_f64(), "{scores}");
    assert_eq!(results["n-samples"]["custom_multiple_choice"], json!({"original": 12, "effective": 10}));
    assert_eq!(results["n-shot"]["custom_multiple_choice"], 2);
    assert_eq!(results["higher_is_better"]["custom_multiple_choice"]["acc"], true);
    let samples = place.samples(&format!("out/{SAMPLES}"));
    assert_eq!(samples.len(), 10);
    let keys: Vec<&str> = samples[0].as_object().unwrap().keys().map(String::as_str).take(11).collect();
    let expected = [
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "metrics",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    ];
    assert_eq!(keys, expected);
    assert_eq!(samples[3]["metrics"], json!(["acc", "acc_norm"]));
    let context = samples[3]["arguments"]["gen_args_0"]["arg_0"].as_str().unwrap();
    assert_eq!(context.matches("Question: ").count(), 3, "two examples and the question");
    let mean = samples.iter().map(|sample| sample["acc"].as_f64().unwrap()).sum::<f64>() / 10.0;
    assert!((mean - scores["acc,none"].as_f64().unwrap()).abs() < 1e-12);
    assert!(
        ran.lines.iter().any(|line| line["type"] == "progress" && line["done"] == 10 && line["total"] == 10)
    );
}

#[test]
fn scores_do_not_depend_on_batches_or_threads() {
    let place = Place::new();
    let mut seen = Vec::new();
    for (index, (batch_tokens, threads)) in [(1, 1), (64, 2), (100_000, 2), (300, 3)].into_iter().enumerate()
    {
        let output = format!("out{index}");
        let ran = place.run(
            custom(&place, 25, json!({"num_fewshot": 1})),
            &output,
            json!({"batch_tokens": batch_tokens, "threads": threads}),
        );
        assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
        seen.push(place.read(&format!("{output}/{SAMPLES}")));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "every bit of every sum is the same");
}

#[test]
fn scores_do_not_depend_on_the_other_rows() {
    let place = Place::new();
    let all = choice_rows(9);
    let file = place.rows("all.jsonl", &all);
    place.run(json!({"name": "custom_multiple_choice", "dataset": file}), "all", json!({}));
    let mut reversed = all.clone();
    reversed.reverse();
    let file = place.rows("reversed.jsonl", &reversed);
    place.run(json!({"name": "custom_multiple_choice", "dataset": file}), "reversed", json!({}));
    let responses = |output: &str| -> Vec<Value> {
        place.samples(&format!("{output}/{SAMPLES}")).iter().map(|sample| sample["resps"].clone()).collect()
    };
    let mut backwards = responses("reversed");
    backwards.reverse();
    assert_eq!(responses("all"), backwards);
}

#[test]
fn a_stopped_evaluation_goes_on_where_it_was() {
    let place = Place::new();
    let whole = place.run(custom(&place, 20, json!({})), "whole", json!({"batch_tokens": 40}));
    assert_eq!(whole.ending, ExitKind::Done);
    let stopped = Stop::new();
    stopped.request();
    let ran = place.run_until(custom(&place, 20, json!({})), "out", json!({"batch_tokens": 40}), &stopped);
    assert_eq!(ran.ending, ExitKind::Stopped);
    assert_eq!(ran.error()["code"], "stopped");
    // A crash in the middle: some rows are on disk, the last line is torn.
    let journal = place.read(&format!("whole/{JOURNAL}"));
    let lines: Vec<&str> = journal.lines().collect();
    let torn = format!("{}\n{}", lines[..8].join("\n"), &lines[8][..30]);
    place.file(&format!("out/{JOURNAL}"), &torn);
    let ran = place.run(custom(&place, 20, json!({})), "out", json!({"batch_tokens": 40}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    assert!(ran.logs().contains("7 of 20 samples were scored before"), "{}", ran.logs());
    assert_eq!(place.read(&format!("out/{SAMPLES}")), place.read(&format!("whole/{SAMPLES}")));
    assert_eq!(place.read(&format!("out/{JOURNAL}")).lines().count(), 21, "nothing was scored twice");
    let again = place.run(custom(&place, 20, json!({})), "out", json!({"batch_tokens": 40}));
    assert!(again.logs().contains("20 of 20 samples were scored before"));
}

#[test]
fn another_model_s_samples_are_not_continued() {
    let place = Place::new();
    place.run(custom(&place, 4, json!({})), "out", json!({}));
    let ran = place.run(custom(&place, 4, json!({})), "out", json!({"precision": "bf16"}));
    assert_eq!(ran.ending, ExitKind::BadInput);
    assert_eq!(ran.error()["code"], "other_evaluation");
    assert!(ran.error()["message"].as_str().unwrap().contains("precision"));
    let ran = place.run(custom(&place, 4, json!({})), "out", json!({"precision": "bf16", "resume": false}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
}

#[test]
fn held_out_loss_is_a_mean_over_tokens() {
    let place = Place::new();
    let chat = |q: &str, a: &str| json!({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]});
    let file = place.rows(
        "sft.jsonl",
        &[chat("hi", "hello there"), chat("what is it?", "the cat and the dog"), chat("more", "no")],
    );
    let ran = place.run(json!({"name": "heldout_loss", "dataset": file}), "out", json!({}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let scores = &ran.result()["scores"]["heldout_loss"];
    let (loss, perplexity) =
        (scores["loss,none"].as_f64().unwrap(), scores["token_perplexity,none"].as_f64().unwrap());
    assert!(loss > 0.0 && (loss.exp() - perplexity).abs() < 1e-9 * perplexity);
    let samples = place.samples("out/samples_heldout_loss.jsonl");
    let (sum, tokens) = samples.iter().fold((0.0, 0.0), |(sum, tokens), sample| {
        (sum + sample["loss"][0].as_f64().unwrap(), tokens + sample["loss"][1].as_f64().unwrap())
    });
    assert!((sum / tokens - loss).abs() < 1e-12);
    let last = samples[0]["arguments"]["gen_args_0"]["arg_1"].as_str().unwrap();
    assert_eq!(
        last, "hello there<|im_end|>",
        "the end of the turn is scored, the line break after it is not"
    );
}

#[test]
fn rolling_perplexity_covers_a_text_longer_than_the_context() {
    let place = Place::new();
    let text = "the cat sat on the mat and then the dog came in. ".repeat(6);
    let file = place.rows("texts.jsonl", &[json!({"text": text}), json!({"text": "short"})]);
    let run = |output: &str, length: usize| {
        let ran =
            place.run(json!({"name": "perplexity", "dataset": file}), output, json!({"max_length": length}));
        assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
        place.samples(&format!("{output}/samples_perplexity.jsonl"))
    };
    let (short, long) = (run("a", 16), run("b", 120));
    assert_eq!(
        short[0]["token_perplexity"][1], long[0]["token_perplexity"][1],
        "every token once, whatever the window"
    );
    assert_ne!(short[0]["token_perplexity"][0], long[0]["token_perplexity"][0]);
    assert_eq!(short[0]["byte_perplexity"][1].as_f64().unwrap() as usize, text.len());
}

#[test]
fn answers_are_generated_filtered_and_matched() {
    let place = Place::new();
    let file = place.rows(
        "qa.jsonl",
        &[
            json!({"question": "who?", "answer": "x"}),
            json!({"question": "why is it so?", "answers": ["a", "b"]}),
        ],
    );
    let task = json!({"name": "custom_question_answer", "dataset": file});
    let yaml =
        "include: base.yaml\ntask: short_answers\ngeneration_kwargs: {until: [' '], max_gen_toks: 6}\n";
    place.file("base.yaml", include_str!("../tasks/custom_question_answer.yaml"));
    let short = place.file("short.yaml", yaml);
    let ran =
        place.run(json!({"name": short, "dataset": task["dataset"]}), "out", json!({"max_length": 100}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let samples = place.samples("out/samples_short_answers.jsonl");
    assert_eq!(samples.len(), 2);
    let answer = samples[1]["resps"][0][0].as_str().unwrap();
    assert!(!answer.contains(' '), "{answer:?} is cut at the stop string");
    assert!(ran.result()["scores"]["short_answers"]["exact_match,none"].is_f64());
}

#[test]
fn the_chat_template_wraps_the_context() {
    let place = Place::new();
    let ran = place.run(custom(&place, 3, json!({})), "out", json!({"apply_chat_template": true}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let arguments = &place.samples(&format!("out/{SAMPLES}"))[0]["arguments"]["gen_args_0"];
    let context = arguments["arg_0"].as_str().unwrap();
    assert!(
        context.starts_with("<|im_start|>user\nQuestion: ") && context.ends_with("<|im_start|>assistant\n"),
        "{context:?}"
    );
    assert!(!arguments["arg_1"].as_str().unwrap().starts_with(' '), "no delimiter after a template");
}

#[test]
fn one_benchmark_on_two_datasets_under_two_names() {
    let place = Place::new();
    let entry = |name: &str, rows: usize| json!({"name": "custom_multiple_choice", "dataset": place.rows(name, &choice_rows(rows))});
    let mut second = entry("b.jsonl", 5);
    let twice = json!({"tasks": [entry("a.jsonl", 3), second.clone()]});
    let ran = place.run(entry("a.jsonl", 3), "out", twice);
    assert_eq!(ran.ending, ExitKind::BadInput);
    assert!(ran.error()["message"].as_str().unwrap().contains("alias"), "{}", ran.error());
    second["alias"] = json!("mine");
    let spec = json!({"tasks": [entry("a.jsonl", 3), second]});
    let ran = place.run(entry("a.jsonl", 3), "out", spec);
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let counts = &place.json("out/results.json")["n-samples"];
    assert_eq!(counts["custom_multiple_choice"]["effective"], 3);
    assert_eq!(counts["mine"]["effective"], 5);
    assert_eq!(place.samples("out/samples_mine.jsonl").len(), 5);
}

#[test]
fn results_call_the_model_by_its_name() {
    let place = Place::new();
    let ran = place.run(custom(&place, 3, json!({})), "out", json!({"model_name": "team/tiny"}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let results = place.json("out/results.json");
    assert_eq!(
        (&results["model_name"], &results["model_name_sanitized"]),
        (&json!("team/tiny"), &json!("team_tiny"))
    );
    assert_eq!(results["config"]["model_args"]["pretrained"], "team/tiny");
}

#[test]
fn a_group_file_gives_figures_over_its_tasks() {
    let place = Place::new();
    place.file("base.yaml", include_str!("../tasks/custom_multiple_choice.yaml"));
    let group = "group: both\ntask: [one, two]\n\
        aggregate_metric_list: [{metric: acc, weight_by_size: true}, {metric: acc_norm, weight_by_size: false}]\n";
    let group = place.file("both.yaml", group);
    for (name, rows) in [("one", 3), ("two", 9)] {
        place.file(
            &format!("{name}.yaml"),
            &format!("include: base.yaml\ntask: {name}\ndataset_name: {name}\n"),
        );
        place.rows(&format!("data/{name}_test.jsonl"), &choice_rows(rows));
    }
    let task = json!({"name": group, "dataset": place.path("data"), "alias": "mine"});
    let ran = place.run(task, "out", json!({"bootstrap_iterations": 50}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let results = place.json("out/results.json");
    assert_eq!(results["group_subtasks"]["mine"], json!(["mine_one", "mine_two"]));
    assert_eq!(results["config"]["bootstrap_iters"], 50);
    let of = |name: &str, metric: &str| results["results"][name][metric].as_f64().unwrap();
    let weighed = (3.0 * of("mine_one", "acc,none") + 9.0 * of("mine_two", "acc,none")) / 12.0;
    assert!((of("mine", "acc,none") - weighed).abs() < 1e-12);
    let plain = f64::midpoint(of("mine_one", "acc_norm,none"), of("mine_two", "acc_norm,none"));
    assert!((of("mine", "acc_norm,none") - plain).abs() < 1e-12);
    let told = ran.result();
    assert_eq!(told["settings"]["precision"], "fp32");
    let about = |name: &str| told["benchmarks"][name].clone();
    let directions = json!({"acc": true, "acc_norm": true});
    assert_eq!(about("mine"), json!({"num_fewshot": 0, "samples": 12, "higher_is_better": directions}));
    assert_eq!(about("mine_one")["samples"], 3);
}

#[test]
fn a_subject_is_never_scored_on_another_s_rows() {
    let place = Place::new();
    let row = |n: usize| json!({"question": format!("q{n}"), "A": "a", "B": "b", "C": "c", "D": "d", "answer": "A"});
    for (subject, rows) in [("accountant", 2), ("tax_accountant", 3)] {
        let rows: Vec<Value> = (0..rows).map(row).collect();
        place.rows(&format!("data/val/{subject}_val.jsonl"), &rows);
    }
    let run = |name: &str, output: &str| {
        place.run(json!({"name": name, "dataset": place.path("data"), "num_fewshot": 0}), output, json!({}))
    };
    assert_eq!(run("ceval-valid_accountant", "one").result()["samples"], 2);
    assert_eq!(run("ceval-valid_tax_accountant", "two").result()["samples"], 3);
    let ran = run("ceval-valid_law", "three");
    assert_eq!(ran.ending, ExitKind::BadInput);
    assert!(ran.error()["message"].as_str().unwrap().contains("`law`"), "{}", ran.error());
}
