//! The contract of the engine: lines, exit status, files, refusals.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anneal_contracts::engine::{ExitKind, Level, Line};
use anneal_model::Source;
use serde_json::{Value, json};
use support::{Bench, lay_over};

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
    assert_eq!(stages, ["tokenize", "tokenize", "load", "load", "train", "train", "save", "save"]);
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
        (json!({"device": "cuda:0"}), "device"),
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
    ];
    for (changes, field) in cases {
        let run = bench.run(&bench.spec("sft", "lora", "out", &changes));
        assert_eq!(run.ending, ExitKind::BadInput, "{changes}: {:?}", run.lines.last());
        assert_eq!(run.error().1, field, "{changes}: {:?}", run.lines.last());
    }
    std::fs::write(bench.path("spec.json"), "{").unwrap();
    let run = Bench::run_file(&bench.path("spec.json"), "");
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
}

#[test]
fn cut_and_dropped_rows_are_told() {
    let bench = Bench::new();
    let run = bench.run(&bench.spec("sft", "lora", "out", &json!({"sequence_length": 28})));
    let warnings: Vec<_> = run
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Log { level: Level::Warn, message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
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
fn a_diverging_run_names_the_step_and_keeps_its_checkpoint() {
    let bench = Bench::new();
    let changes = json!({"save_interval": 1, "max_steps": 40, "optimizer": {"learning_rate": 1e30, "max_grad_norm": 0.0}});
    let run = bench.run(&bench.spec("sft", "full", "out", &changes));
    assert_eq!(run.ending, ExitKind::Failed);
    let (code, _, message) = run.error();
    assert_eq!(code, "diverged");
    assert!(message.starts_with("step ") && message.contains("last good one"), "{message}");
}

#[test]
fn early_stopping_stops() {
    let bench = Bench::new();
    let changes = json!({"split": [50, 50, 0], "eval_interval": 1, "early_stopping_patience": 2, "max_steps": 200,
                         "optimizer": {"learning_rate": 0.1, "schedule": "constant"}});
    let run = bench.run(&bench.spec("sft", "full", "out", &changes)).assert_done();
    let steps = run.series("loss").len();
    assert!(steps < 200, "{steps}");
    let losses = run.series("eval/loss");
    let best = losses.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    assert!(losses[losses.len() - 2..].iter().all(|(_, loss)| *loss > best));
}

#[test]
fn sigterm_leaves_a_checkpoint_that_continues_exactly() {
    let bench = Bench::new();
    let changes = json!({"max_steps": 5000, "optimizer": {"schedule": "constant", "learning_rate": 1e-3}});
    let mut spec = bench.spec("sft", "lora", "out", &changes);
    std::fs::write(bench.path("spec.json"), spec.to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_anneal-trainer"))
        .args([std::ffi::OsStr::new("run"), bench.path("spec.json").as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !text.contains("\"step\":3,") {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    while lines.read_line(&mut text).unwrap() > 0 {}
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let (step, path) = support::parse(&text)
        .into_iter()
        .find_map(|line| match line {
            Line::Checkpoint { step, path, .. } => Some((step, path)),
            _ => None,
        })
        .unwrap();
    assert!(step >= 3);
    // The rest of an uninterrupted run of the same recipe is compared over a few steps by resuming twice.
    lay_over(
        &mut spec,
        &json!({"resume_from": path, "save_interval": step + 2, "output_dir": bench.path("a")}),
    );
    std::fs::write(bench.path("spec.json"), spec.to_string()).unwrap();
    let resumed = stop_after(&bench, step + 3);
    let straight = text.clone() + &resumed;
    let losses = losses(&straight);
    lay_over(&mut spec, &json!({"resume_from": null, "output_dir": bench.path("b")}));
    std::fs::write(bench.path("spec.json"), spec.to_string()).unwrap();
    let whole = stop_after(&bench, step + 3);
    let expected = self::losses(&whole);
    for step in 1..=step + 3 {
        assert_eq!(losses[&step], expected[&step], "step {step}");
    }
}

/// Runs the spec in the binary until `step` was reported, then ends it.
fn stop_after(bench: &Bench, step: u64) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_anneal-trainer"))
        .args([std::ffi::OsStr::new("run"), bench.path("spec.json").as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !text.contains(&format!("\"step\":{step},")) {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

fn losses(text: &str) -> std::collections::BTreeMap<u64, u64> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let losses = lines.filter_map(|line| match line {
        Line::Metric { step, values } => Some((step, values.get("loss").copied().flatten()?.to_bits())),
        _ => None,
    });
    losses.collect()
}
