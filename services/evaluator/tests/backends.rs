//! Every kind of model: adapters, GGUF files, compiled folders.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, atomic::AtomicBool};

use anneal_contracts::engine::ExitKind;
use anneal_model::save::StoredType;
use anneal_model::{Decoder, LoadOptions, LoraConfig, Source, formula, merge_adapter, save_adapter};
use serde_json::{Value, json};
use support::{Place, choice_rows};

/// The summed log-probabilities of every choice of every row.
fn sums(place: &Place, model: &Value, output: &str, more: &Value) -> Vec<f64> {
    let rows = place.rows("rows.jsonl", &choice_rows(8));
    let task = json!({"name": "custom_multiple_choice", "dataset": rows, "num_fewshot": 1});
    let mut spec = json!({"model": model});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ran = place.run(task, output, spec);
    assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
    let samples = place.samples(&format!("{output}/samples_custom_multiple_choice.jsonl"));
    let resps = samples.iter().flat_map(|sample| sample["resps"].as_array().unwrap().clone());
    resps.map(|choice| choice[0][0].as_str().unwrap().parse().unwrap()).collect()
}

fn farthest(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn adapter(place: &Place) -> PathBuf {
    let source = Source::open(place.path("model")).unwrap();
    let lora = LoraConfig { rank: 4, alpha: 6.0, ..LoraConfig::default() };
    let decoder =
        Decoder::load(&source, &LoadOptions { lora: Some(lora), ..LoadOptions::default() }).unwrap();
    for (index, (name, var)) in decoder.trainable().into_iter().enumerate() {
        if name.contains("lora_B") {
            let values = formula::values(90 + index as u64, var.elem_count(), 0.3);
            var.set(&candle_core::Tensor::from_vec(values, var.shape(), var.device()).unwrap()).unwrap();
        }
    }
    save_adapter(&decoder, &place.path("adapter"), "model").unwrap();
    place.path("adapter")
}

#[test]
fn an_adapter_scores_as_the_model_it_is_merged_into() {
    let place = Place::new();
    let adapter = adapter(&place);
    let source = Source::open(place.path("model")).unwrap();
    merge_adapter(&source, &adapter, &place.path("merged"), StoredType::F32).unwrap();
    let base = sums(&place, &json!(place.path("model")), "base", &json!({}));
    let adapted = json!({"base": place.path("model"), "adapter": adapter});
    let with = sums(&place, &adapted, "with", &json!({}));
    let merged = sums(&place, &json!(place.path("merged")), "merged", &json!({}));
    assert!(farthest(&base, &with) > 0.1, "the adapter changes the model");
    assert!(farthest(&with, &merged) < 1e-2, "{}", farthest(&with, &merged));
    assert_eq!(with, sums(&place, &adapted, "again", &json!({"batch_tokens": 30, "threads": 1})));
}

#[test]
fn a_gguf_file_is_scored() {
    let parts = std::path::absolute("../../.local/parts/smollm2").unwrap();
    let model = parts.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    if !model.is_file() {
        eprintln!("a_gguf_file_is_scored: not run, {} is not there", model.display());
        return;
    }
    let place = Place::new();
    let rows = [
        json!({"question": "What is the capital of France?", "choices": ["Berlin", "Paris"], "answer": 1}),
        json!({"question": "How many legs does a spider have?", "choices": ["eight", "blue"], "answer": 0}),
    ];
    let rows = place.rows("rows.jsonl", &rows);
    let run = |output: &str, batch_tokens: usize| {
        let task = json!({"name": "custom_multiple_choice", "dataset": rows});
        let ran = place.run(task, output, json!({"model": model, "batch_tokens": batch_tokens}));
        assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
        assert_eq!(ran.result()["scores"]["custom_multiple_choice"]["acc,none"], 1.0);
        place.read(&format!("{output}/samples_custom_multiple_choice.jsonl"))
    };
    assert_eq!(run("a", 2048), run("b", 1));
}

/// The tiny model compiled at half precision; `None` where ONNX Runtime is not there.
fn compiled(place: &Place, test: &str) -> Option<PathBuf> {
    if let Err(error) = anneal_onnx::find_library(None) {
        eprintln!("{test}: not run, {error}");
        return None;
    }
    let text = place.file("text.txt", &"the quick brown fox jumps over the lazy dog. ".repeat(20));
    let spec = json!({"model": place.path("model"), "quantization": "fp16", "target": "onnxruntime-cpu", "threads": 2,
        "validation": {"dataset": text, "budget": {"perplexity_ratio": 1.02}}, "output_dir": place.path("compiled")});
    let spec = place.file("compile.json", &spec.to_string());
    let stop = Arc::new(AtomicBool::new(false));
    let mut reporter = anneal_compiler::engine::Reporter::new(Box::new(std::io::sink()), stop);
    assert_eq!(anneal_compiler::engine::run_spec(&spec, None, &mut reporter), ExitKind::Done);
    Some(place.path("compiled/compiled"))
}

#[test]
fn a_compiled_folder_scores_close_to_its_source_and_the_same_every_time() {
    let place = Place::new();
    let Some(folder) = compiled(&place, "a_compiled_folder_scores") else { return };
    let source = sums(&place, &json!(place.path("model")), "source", &json!({}));
    let first = sums(&place, &json!(folder), "first", &json!({"batch_tokens": 64}));
    assert!(farthest(&source, &first) < 0.1, "{}", farthest(&source, &first));
    let again = sums(&place, &json!(folder), "again", &json!({"batch_tokens": 4096, "threads": 1}));
    assert_eq!(first, again, "every bit of every sum");
    let journal = place.read("first/responses_custom_multiple_choice.jsonl");
    let half: Vec<&str> = journal.lines().take(5).collect();
    place.file("resumed/responses_custom_multiple_choice.jsonl", &(half.join("\n") + "\n"));
    assert_eq!(first, sums(&place, &json!(folder), "resumed", &json!({})));
}

#[test]
fn a_compiled_folder_writes_answers_greedy_and_drawn() {
    let place = Place::new();
    let Some(folder) = compiled(&place, "a_compiled_folder_writes") else { return };
    let rows: Vec<Value> =
        ["who?", "why is it so?", "the cat"].map(|q| json!({"question": q, "answer": "x"})).to_vec();
    let rows = place.rows("qa.jsonl", &rows);
    let run = |output: &str, draw: bool, model: &Path| -> Vec<Value> {
        let yaml = format!(
            "task: answers\ntest_split: test\ndoc_to_text: '{{{{question}}}}'\ndoc_to_target: '{{{{answer}}}}'\n\
             generation_kwargs: {{until: ['zzz'], max_gen_toks: 10, do_sample: {draw}, temperature: 1.0}}\n"
        );
        let file = place.file("answers.yaml", &yaml);
        let ran = place.run(json!({"name": file, "dataset": rows}), output, json!({"model": model}));
        assert_eq!(ran.ending, ExitKind::Done, "{:#?}", ran.lines);
        let samples = place.samples(&format!("{output}/samples_answers.jsonl"));
        samples.iter().map(|sample| sample["resps"].clone()).collect()
    };
    let greedy = run("greedy", false, &folder);
    assert_eq!(greedy.len(), 3);
    let drawn = run("drawn", true, &folder);
    assert_ne!(greedy, drawn);
    assert_eq!(drawn, run("drawn_again", true, &folder), "a draw repeats by its seed");
}
