//! Generated answers scored by more than equality: IFEval's instructions, likeness to a reference.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::ExitKind;
use serde_json::{Value, json};
use support::Place;

#[test]
fn ifeval_reports_prompts_and_instructions() {
    let place = Place::new();
    let rows = [
        json!({"key": 1, "prompt": "the cat", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}),
        json!({
            "key": 2,
            "prompt": "a dog",
            "instruction_id_list": ["detectable_format:title", "length_constraints:number_words"],
            "kwargs": [{}, {"num_words": 1000, "relation": "less than", "language": null}],
        }),
    ];
    let file = place.rows("ifeval.jsonl", &rows);
    place.file("base.yaml", include_str!("../tasks/ifeval.yaml"));
    // The tiny model's context has no room for the 1280 tokens of the benchmark.
    let short =
        place.file("short.yaml", "include: base.yaml\ngeneration_kwargs: {until: [], max_gen_toks: 8}\n");
    let ran = place.run(json!({"name": short, "dataset": file}), "out", json!({"max_length": 60}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let samples = place.samples("out/samples_ifeval.jsonl");
    let each: Vec<&Value> = samples.iter().map(|sample| &sample["inst_level_strict_acc"]).collect();
    assert_eq!((each[0].as_array().unwrap().len(), each[1].as_array().unwrap().len()), (1, 2));
    for sample in &samples {
        let all = sample["inst_level_loose_acc"].as_array().unwrap().iter().all(|truth| *truth == true);
        assert_eq!(sample["prompt_level_loose_acc"], json!(all));
    }
    let scores = &place.json("out/results.json")["results"]["ifeval"];
    let hits = each.iter().flat_map(|list| list.as_array().unwrap()).filter(|truth| **truth == true).count();
    assert!((scores["inst_level_strict_acc,none"].as_f64().unwrap() - hits as f64 / 3.0).abs() < 1e-12);
    assert_eq!(scores["inst_level_strict_acc_stderr,none"], "N/A");
    assert!(scores["prompt_level_strict_acc_stderr,none"].is_f64());
}

#[test]
fn likeness_is_scored_over_the_corpus() {
    let place = Place::new();
    let rows = [json!({"q": "the cat", "a": "sat on the mat"}), json!({"q": "a dog", "a": "and the hat"})];
    let file = place.rows("rows.jsonl", &rows);
    let metrics = "[{metric: bleu}, {metric: chrf}, {metric: rougeL}, {metric: f1}]";
    let yaml = format!(
        "task: likeness\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n\
         generation_kwargs: {{until: [], max_gen_toks: 8}}\nmetric_list: {metrics}\n"
    );
    let task = place.file("likeness.yaml", &yaml);
    let ran = place.run(json!({"name": task, "dataset": file}), "out", json!({"max_length": 60}));
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let scores = &ran.result()["scores"]["likeness"];
    for metric in ["bleu", "chrf", "rougeL", "f1"] {
        assert!(scores[format!("{metric},none")].is_f64(), "{scores}");
        assert!(scores[format!("{metric}_stderr,none")].is_f64(), "{scores}");
    }
    let sample = &place.samples("out/samples_likeness.jsonl")[0];
    assert_eq!(sample["bleu"], json!(["sat on the mat", sample["filtered_resps"][0]]));
}
