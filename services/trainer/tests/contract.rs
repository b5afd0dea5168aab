//! The contract of the engine: lines, exit status, files, refusals.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use anneal_contracts::engine::{ExitKind, Line};
use anneal_model::{
    Source, formula,
    formula::TinyModel,
    save::{StoredType, write_safetensors},
};
use serde_json::{Value, json};
use support::{Bench, event_steps, lay_over};

#[test]
fn lines_and_files_of_a_run() {
    let bench = Bench::new();
    let changes = json!({"save_interval": 2, "keep_checkpoints": 1, "split": [70, 20, 10]});
    let run = bench.run(&bench.spec("sft", "lora", "out", &changes)).assert_done();
    let stages: Vec<_> = run
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Stage { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let expected = ["open_model", "tokenize", "load", "train", "save"];
    assert_eq!(stages, expected.map(|stage| [stage; 2]).concat());
    for name in [
        "loss",
        "grad_norm",
        "learning_rate",
        "epoch",
        "num_tokens",
        "mean_token_accuracy",
        "tokens_per_second",
    ] {
        assert_eq!(run.series(name).len(), 6, "{name}");
    }
    assert_eq!(run.series("eval/loss").len(), 3);
    assert!(
        run.lines
            .iter()
            .any(|line| matches!(line, Line::Progress { unit, done: 6, total: 6, .. } if unit == "steps"))
    );
    let Some(Line::Result { figures }) = run.lines.last() else { panic!() };
    assert_eq!((figures["steps"].clone(), figures["model_dir"].clone()), (json!(6), Value::Null));
    assert!(figures["test_loss"].is_number());
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        assert!(run.output.join("adapter").join(file).is_file(), "{file}");
    }
    let kept: Vec<_> =
        std::fs::read_dir(&run.output).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(kept.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{kept:?}");
    let state: Value =
        serde_json::from_slice(&std::fs::read(run.output.join("checkpoint-6/trainer_state.json")).unwrap())
            .unwrap();
    assert_eq!((state["global_step"].clone(), state["max_steps"].clone()), (json!(6), json!(6)));
    assert_eq!(state["log_history"].as_array().unwrap().len(), 9);
}

#[test]
fn epochs_end_with_a_short_step() {
    let bench = Bench::new();
    let changes =
        json!({"max_steps": null, "epochs": 1.5, "micro_batch_size": 5, "gradient_accumulation_steps": 1});
    let run = bench.run(&bench.spec("sft", "lora", "out", &changes)).assert_done();
    // 24 rows, 36 in all: seven steps of five and one of one.
    let epochs = run.series("epoch");
    assert_eq!(epochs.len(), 8);
    assert!((epochs[7].1 - 1.5).abs() < 1e-12);
}

#[test]
fn wrong_specs_name_their_field() {
    let bench = Bench::new();
    let cases = [
        (json!({"colour": 1}), "colour"),
        (json!({"optimizer": {"beta3": 1}}), "optimizer.beta3"),
        (json!({"task_type": "pretrain", "method": "lora"}), "method"),
        (json!({"task_type": "dpo", "method": "full"}), "method"),
        (json!({"precision": "fp8"}), "precision"),
        (json!({"device": "cuda:99"}), "device"),
        (json!({"split": [90, 5, 0]}), "split"),
        (json!({"global_batch_size": 3}), "global_batch_size"),
        (json!({"sequence_length": 100_000}), "sequence_length"),
        (json!({"parallel": {"tensor": 2}}), "parallel.tensor"),
        (json!({"flash_attention": false}), "flash_attention"),
        (json!({"lora": {"target_modules": ["qproj"]}}), "lora.target_modules"),
        (json!({"lora": {"initial_adapter": "nowhere.safetensors"}}), "lora.initial_adapter"),
        (json!({"initial_weights": "x"}), "initial_weights"),
        (json!({"tokenizer": {"train": {"vocab_size": 600}}}), "tokenizer"),
        (json!({"tokenizer": {"train": {"size": 600}}}), "tokenizer.train.size"),
        (json!({"dataset_format": "xml"}), "dataset_format"),
        (json!({"dataset": "/nowhere"}), "dataset"),
        (json!({"model": "/nowhere"}), "model"),
        (json!({"resume_from": "/nowhere"}), "resume_from"),
        (json!({"early_stopping_patience": 2}), "early_stopping_patience"),
        (json!({"dpo": {"loss": "kto"}}), "dpo.loss"),
        // What would not act is refused.
        (json!({"dpo": {"beta": 0.2}}), "dpo.beta"),
        (json!({"method": "full", "lora": {"rank": 0}}), "lora.rank"),
        (json!({"method": "full", "lora": {"double_quantization": true}}), "lora.double_quantization"),
        (json!({"lora": {"double_quantization": true}}), "lora.double_quantization"),
        (json!({"task_type": "dpo", "loss_on": "completion"}), "loss_on"),
        (
            json!({"optimizer": {"schedule": "constant", "min_learning_rate": 1e-3}}),
            "optimizer.min_learning_rate",
        ),
        (
            json!({"optimizer": {"learning_rate": null, "min_learning_rate": 1e-3}}),
            "optimizer.min_learning_rate",
        ),
        (json!({"epochs": 1e300}), "epochs"),
        (json!({"eval_interval": 2}), "eval_interval"),
    ];
    for (changes, field) in cases {
        let run = bench.run(&bench.spec("sft", "lora", "out", &changes));
        assert_eq!(run.ending, ExitKind::BadInput, "{changes}: {:?}", run.lines.last());
        assert_eq!(run.error().1, field, "{changes}: {:?}", run.lines.last());
    }
    std::fs::write(bench.path("spec.json"), "{").unwrap();
    let run = Bench::run_file(&bench.path("spec.json"), "", None);
    assert_eq!((run.ending, run.error().0.as_str()), (ExitKind::BadInput, "invalid_spec"));
}

#[test]
fn pretraining_learns_a_tokenizer_from_the_training_rows() {
    let bench = Bench::new();
    let changes =
        json!({"tokenizer": {"train": {"vocab_size": 512}}, "save_interval": 4, "split": [80, 20, 0]});
    let run = bench.run(&bench.spec("pretrain", "full", "out", &changes)).assert_done();
    let learnt = Source::open(run.output.join("model")).unwrap();
    let tokenizer = learnt.tokenizer().unwrap();
    assert!((300..512).contains(&tokenizer.vocab_size()), "{}", tokenizer.vocab_size());
    assert_eq!(learnt.config().vocab_size, tokenizer.vocab_size());
    assert_eq!((learnt.config().eos_token_id(), learnt.config().pad_token_id), (Some(0), Some(1)));
    assert!(learnt.chat_template().unwrap().is_none());
    let ids = tokenizer.encode(" river", false).unwrap();
    assert_eq!(ids.len(), 1, "a frequent word is one token");
    // The same rows give the same model, and a continued run goes on with the checkpoint's tokenizer.
    let again = bench.run(&bench.spec("pretrain", "full", "again", &changes)).assert_done();
    assert!(run.weights() == again.weights());
    let mut rest = bench.spec("pretrain", "full", "rest", &changes);
    rest["resume_from"] = json!(run.output.join("checkpoint-4"));
    assert!(bench.run(&rest).assert_done().weights() == run.weights());
    rest["tokenizer"]["train"]["vocab_size"] = json!(600);
    assert_eq!(bench.run(&rest).error().1, "tokenizer");
    for size in [511, 262_145] {
        let changes = json!({"tokenizer": {"train": {"vocab_size": size}}});
        let run = bench.run(&bench.spec("pretrain", "full", "out", &changes));
        assert_eq!(run.error().1, "tokenizer.train.vocab_size");
    }
}

#[test]
fn a_bad_row_is_named_by_line() {
    let bench = Bench::new();
    let rows = std::fs::read_to_string(bench.path("sft.jsonl")).unwrap();
    std::fs::write(
        bench.path("sft.jsonl"),
        rows + "{\"messages\": [{\"role\": \"alien\", \"content\": \"x\"}]}\n",
    )
    .unwrap();
    let run = bench.run(&bench.spec("sft", "lora", "out", &json!({})));
    let (code, field, message) = run.error();
    assert_eq!((run.ending, code.as_str()), (ExitKind::BadInput, "invalid_row"));
    assert!(field.ends_with("sft.jsonl:25"), "{field}");
    assert!(message.contains("messages[0].role"), "{message}");
    assert_eq!(std::fs::read_dir(&run.output).unwrap().count(), 0, "something was left behind");
}

#[test]
fn cut_and_dropped_rows_are_told() {
    let bench = Bench::new();
    let run = bench.run(&bench.spec("sft", "lora", "out", &json!({"sequence_length": 28})));
    let warnings = run.warnings();
    assert!(
        warnings.iter().any(|text| text.contains("left out: line"))
            || warnings.iter().any(|text| text.contains("were cut")),
        "{warnings:?}"
    );
    // Nothing but prompts fits: every row is left out, and that is the dataset's fault.
    let run = bench.run(&bench.spec("sft", "lora", "out", &json!({"sequence_length": 4})));
    assert_eq!((run.ending, run.error().1.as_str()), (ExitKind::BadInput, "dataset"));
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_refused() {
    let bench = Bench::new();
    let spec = bench.spec("sft", "lora", "out", &json!({"save_interval": 3}));
    let run = bench.run(&spec).assert_done();
    let checkpoint = run.output.join("checkpoint-3");
    let mut other = spec.clone();
    lay_over(&mut other, &json!({"resume_from": checkpoint, "seed": 7}));
    assert_eq!(bench.run(&other).error().1, "seed");
    lay_over(&mut other, &json!({"seed": 42, "sequence_length": 32}));
    assert_eq!(bench.run(&other).error().1, "sequence_length");
    let optimizer = checkpoint.join("optimizer.safetensors");
    let mut bytes = std::fs::read(&optimizer).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&optimizer, bytes).unwrap();
    lay_over(&mut other, &json!({"sequence_length": 64}));
    let (code, field, message) = bench.run(&other).error();
    assert_eq!((code.as_str(), field.as_str()), ("corrupt_checkpoint", "resume_from"));
    assert!(message.contains("optimizer.safetensors is damaged"), "{message}");
}

#[test]
fn a_checkpoint_knows_its_base() {
    let bench = Bench::new();
    for (method, refused) in [("lora", true), ("full", false)] {
        let mut spec = bench.spec("sft", method, &format!("out-{method}"), &json!({"save_interval": 3}));
        let run = bench.run(&spec).assert_done();
        // The same sizes, tokenizer and template, but other weights.
        let (model, other) = (bench.path("model"), bench.path(&format!("other-{method}")));
        std::fs::create_dir(&other).unwrap();
        for entry in std::fs::read_dir(&model).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
        }
        let weights = other.join("model.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        let rest = bench.path(&format!("rest-{method}"));
        lay_over(
            &mut spec,
            &json!({"model": other, "resume_from": run.output.join("checkpoint-3"), "output_dir": rest}),
        );
        let rest = bench.run(&spec);
        if refused {
            assert_eq!((rest.ending, rest.error().1.as_str()), (ExitKind::BadInput, "model"));
        } else {
            // Every weight is in the checkpoint.
            assert!(rest.assert_done().weights() == run.weights());
        }
    }
}

#[test]
fn another_instruction_set_is_told() {
    let bench = Bench::new();
    let mut spec = bench.spec("sft", "lora", "out", &json!({"save_interval": 3}));
    let run = bench.run(&spec).assert_done();
    assert!(run.warnings().is_empty());
    let path = run.output.join("checkpoint-3/training_state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["isa"] = json!("Abacus");
    std::fs::write(&path, state.to_string()).unwrap();
    lay_over(
        &mut spec,
        &json!({"resume_from": run.output.join("checkpoint-3"), "output_dir": bench.path("rest")}),
    );
    let rest = bench.run(&spec).assert_done();
    assert!(rest.warnings().iter().any(|text| text.contains("Abacus")), "{:?}", rest.warnings());
    state["format"] = json!(1);
    std::fs::write(&path, state.to_string()).unwrap();
    assert!(bench.run(&spec).error().2.contains("its format is 1"));
}

#[test]
fn an_adapter_names_its_base() {
    let bench = Bench::new();
    for (changes, name) in [
        (json!({"model_name": "tiny-llama"}), "tiny-llama".to_owned()),
        (json!({}), bench.path("model").display().to_string()),
    ] {
        let run = bench.run(&bench.spec("sft", "lora", "out", &changes)).assert_done();
        let config = std::fs::read(run.output.join("adapter/adapter_config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["base_model_name_or_path"], name);
    }
}

#[test]
fn pretraining_needs_no_weights() {
    let bench = Bench::new();
    let with = bench.run(&bench.spec("pretrain", "full", "with", &json!({}))).assert_done();
    std::fs::remove_file(bench.path("model/model.safetensors")).unwrap();
    let without = bench.run(&bench.spec("pretrain", "full", "without", &json!({}))).assert_done();
    assert_eq!(with.bits("loss"), without.bits("loss"));
    assert!(with.weights() == without.weights());
    assert_eq!(bench.run(&bench.spec("sft", "lora", "sft", &json!({}))).error().1, "model");
    let other = bench.run(&bench.spec("pretrain", "full", "seed", &json!({"seed": 7}))).assert_done();
    assert_ne!(other.bits("loss"), with.bits("loss"));
}

#[test]
fn a_continued_run_gives_out_the_whole_history() {
    let bench = Bench::new();
    let mut spec = bench.spec("sft", "lora", "out", &json!({"save_interval": 3, "split": [80, 20, 0]}));
    let whole = bench.run(&spec).assert_done();
    lay_over(
        &mut spec,
        &json!({"resume_from": whole.output.join("checkpoint-3"), "output_dir": bench.path("rest")}),
    );
    let rest = bench.run(&spec).assert_done();
    assert_eq!(rest.points(), whole.points());
    // Nothing of what was measured before is measured again.
    let before = |run: &support::Run| -> Vec<_> {
        run.bits("tokens_per_second").into_iter().filter(|(step, _)| *step <= 3).collect()
    };
    assert_eq!(before(&rest), before(&whole));
    let steps = event_steps(&whole.output.join("tensorboard"));
    assert_eq!(steps, [0, 1, 2, 3, 3, 4, 5, 6, 6]);
    // A file of its own, which begins by taking the place of earlier ones.
    let again = event_steps(&rest.output.join("tensorboard"));
    assert_eq!(again[..2], [0, 1]);
    assert_eq!(again[2..], steps[1..]);
}

#[test]
fn a_checkpoint_between_two_lines_changes_neither() {
    let bench = Bench::new();
    let mut spec = bench.spec("sft", "lora", "out", &json!({"save_interval": 4, "log_interval": 3}));
    let whole = bench.run(&spec).assert_done();
    lay_over(
        &mut spec,
        &json!({"resume_from": whole.output.join("checkpoint-4"), "output_dir": bench.path("rest")}),
    );
    let rest = bench.run(&spec).assert_done();
    for metric in ["loss", "mean_token_accuracy", "tokens", "trained_tokens", "num_tokens"] {
        assert_eq!(whole.bits(metric).len(), 2);
        assert_eq!(rest.bits(metric), whole.bits(metric), "{metric}");
    }
}

#[test]
fn a_diverging_run_names_the_step_and_saves_what_was_before() {
    let bench = Bench::new();
    let changes = json!({"max_steps": 40, "optimizer": {"learning_rate": 1e30, "max_grad_norm": 0.0}});
    let mut spec = bench.spec("sft", "full", "out", &changes);
    let run = bench.run(&spec);
    assert_eq!(run.ending, ExitKind::Failed);
    let (code, _, message) = run.error();
    assert_eq!(code, "diverged");
    let [(saved, false)] = run.checkpoints()[..] else { panic!("{:?}", run.checkpoints()) };
    assert!(message.starts_with(&format!("step {}: ", saved + 1)), "{message}");
    assert!(message.contains(&format!("checkpoint-{saved} holds the weights before it")), "{message}");
    // It can be read back, and comes to the same end.
    let checkpoint = run.output.join(format!("checkpoint-{saved}"));
    lay_over(&mut spec, &json!({"resume_from": checkpoint, "output_dir": bench.path("again")}));
    assert_eq!(bench.run(&spec).error(), run.error());
}

/// Pretraining on rows of which one, in the validation part, holds a token whose embedding is NaN.
fn spec_with_a_broken_validation(bench: &Bench) -> Value {
    let model = TinyModel { tied: false, ..TinyModel::default() };
    model.write(&bench.path("untied")).unwrap();
    let source = Source::open(bench.path("untied")).unwrap();
    let [broken] = source.tokenizer().unwrap().encode("~", false).unwrap()[..] else { panic!("one token") };
    let config = source.config();
    let values = |name: &str| -> anneal_model::Result<candle_core::Tensor> {
        let (shape, mut values) = formula::initial_weight(config, name).unwrap();
        if name == "model.embed_tokens.weight" {
            values[broken as usize * shape[1]] = f32::NAN;
        }
        Ok(candle_core::Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?)
    };
    let path = bench.path("initial.safetensors");
    let notes = std::collections::HashMap::<String, String>::new();
    write_safetensors(&path, &config.tensor_shapes(), StoredType::F32, &notes, values).unwrap();
    let split = anneal_datasets::Split::deterministic([50, 50, 0], 42).unwrap();
    let held_back = (0..24).find(|&row| split.part(row) == anneal_datasets::Part::Validation).unwrap();
    let text = std::fs::read_to_string(bench.path("text.jsonl")).unwrap();
    let rows = text.lines().enumerate().map(|(n, row)| {
        if n as u64 == held_back { json!({"text": "~"}).to_string() + "\n" } else { row.to_owned() + "\n" }
    });
    std::fs::write(bench.path("text.jsonl"), rows.collect::<String>()).unwrap();
    let changes = json!({"model": bench.path("untied"), "initial_weights": path, "split": [50, 50, 0],
                         "eval_interval": 3, "save_interval": 2});
    bench.spec("pretrain", "full", "out", &changes)
}

#[test]
fn a_validation_loss_that_is_not_finite_ends_the_run() {
    let bench = Bench::new();
    let run = bench.run(&spec_with_a_broken_validation(&bench));
    assert_eq!(run.ending, ExitKind::Failed, "{:?}", run.lines.last());
    let (code, _, message) = run.error();
    assert_eq!(code, "diverged");
    assert!(message.starts_with("step 2: the validation loss is not finite"), "{message}");
    assert_eq!(run.checkpoints(), []);
}

#[test]
fn the_best_weights_are_saved_and_exported() {
    let bench = Bench::new();
    let changes = json!({"split": [50, 50, 0], "eval_interval": 1, "early_stopping_patience": 2, "max_steps": 200,
                         "keep_checkpoints": 1, "optimizer": {"learning_rate": 0.1, "schedule": "constant"}});
    let spec = bench.spec("sft", "full", "out", &changes);
    let run = bench.run(&spec).assert_done();
    let steps = run.series("loss").len() as u64;
    assert!(steps < 200, "{steps}");
    let losses = run.series("eval/loss");
    let best = losses.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
    assert_eq!(best, steps - 2);
    assert_eq!(run.checkpoints().last(), Some(&(best, true)));
    assert_eq!((run.figure("best_step"), run.figure("exported_step")), (json!(best), json!(best)));
    let weights =
        |step: u64| std::fs::read(run.output.join(format!("checkpoint-{step}/model.safetensors"))).unwrap();
    assert!(run.weights() == weights(best));
    assert!(!run.output.join("best.safetensors").exists());
    let mut last = spec;
    lay_over(&mut last, &json!({"export": "last", "output_dir": bench.path("last")}));
    let last = bench.run(&last).assert_done();
    assert_eq!((last.figure("best_step"), last.figure("exported_step")), (json!(best), json!(steps)));
    assert!(last.weights() != run.weights());
}

#[test]
fn a_continued_run_exports_the_best_weights_of_before() {
    let bench = Bench::new();
    for method in ["full", "lora"] {
        let rate = if method == "full" { 0.1 } else { 0.5 };
        let changes = json!({"split": [50, 50, 0], "save_interval": 1, "early_stopping_patience": 2, "max_steps": 200,
                             "keep_checkpoints": 200, "optimizer": {"learning_rate": rate, "schedule": "constant"}});
        let spec = bench.spec("sft", method, &format!("out-{method}"), &changes);
        let whole = bench.run(&spec).assert_done();
        let best = whole.figure("best_step").as_u64().unwrap();
        assert_eq!(whole.checkpoints().last(), Some(&(best + 2, false)));
        // The worker that goes on has one checkpoint: the best itself, one after it, or the one that training ended with.
        for step in best..=best + 2 {
            let mut spec = spec.clone();
            let checkpoint = bench.path(&format!("fetched-{method}-{step}"));
            std::fs::rename(whole.output.join(format!("checkpoint-{step}")), &checkpoint).unwrap();
            lay_over(
                &mut spec,
                &json!({"resume_from": checkpoint, "output_dir": bench.path(&format!("{method}-{step}"))}),
            );
            let rest = bench.run(&spec).assert_done();
            assert_eq!(rest.bits("loss"), whole.bits("loss"), "{method} from step {step}");
            assert!(rest.weights() == whole.weights(), "{method} from step {step}");
        }
    }
}

#[test]
fn a_stop_during_validation_leaves_it_to_be_done() {
    let bench = Bench::new();
    let mut spec = bench.spec("sft", "lora", "out", &json!({"save_interval": 4, "split": [60, 20, 20]}));
    let whole = bench.run(&spec).assert_done();
    lay_over(&mut spec, &json!({"output_dir": bench.path("first")}));
    let first = bench.run_until(&spec, Some(r#""step":4,"values":{"epoch""#));
    assert_eq!((first.ending, first.checkpoints()), (ExitKind::Stopped, vec![(4, false)]));
    assert_eq!(first.series("eval/loss"), []);
    lay_over(
        &mut spec,
        &json!({"resume_from": first.output.join("checkpoint-4"), "output_dir": bench.path("rest")}),
    );
    let rest = bench.run(&spec).assert_done();
    for metric in ["loss", "eval/loss"] {
        assert_eq!(rest.bits(metric), whole.bits(metric), "{metric}");
    }
    assert_eq!(rest.checkpoints(), whole.checkpoints());
    assert!(rest.weights() == whole.weights());
    assert_eq!(rest.figure("test_loss"), whole.figure("test_loss"));
}

#[test]
fn a_stop_during_the_test_part_keeps_the_result() {
    let bench = Bench::new();
    let spec = bench.spec("sft", "lora", "out", &json!({"split": [60, 20, 20]}));
    let run = bench.run_until(&spec, Some(r#""step":6,"values":{"eval/loss""#)).assert_done();
    assert_eq!(run.figure("test_loss"), Value::Null);
    assert!(run.warnings().iter().any(|text| text.contains("test part")));
    assert!(!run.weights().is_empty());
}
