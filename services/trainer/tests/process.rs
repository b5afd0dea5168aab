//! The engine as a process: signals, and what its environment says.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anneal_contracts::engine::Line;
use serde_json::{Value, json};
use support::{Bench, lay_over};

#[test]
fn sigterm_leaves_a_checkpoint_that_continues_exactly() {
    let bench = Bench::new();
    let changes = json!({"max_steps": 5000, "optimizer": {"schedule": "constant", "learning_rate": 1e-3}});
    let mut spec = bench.spec("sft", "lora", "out", &changes);
    let mut child = started(&bench, &spec);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut text = read_until(&mut lines, 3);
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
    let resumed = stop_after(&bench, &spec, step + 3);
    let straight = text.clone() + &resumed;
    let losses = losses(&straight);
    lay_over(&mut spec, &json!({"resume_from": null, "output_dir": bench.path("b")}));
    let whole = stop_after(&bench, &spec, step + 3);
    let expected = self::losses(&whole);
    for step in 1..=step + 3 {
        assert_eq!(losses[&step], expected[&step], "step {step}");
    }
}

#[test]
fn an_instruction_set_that_is_none_is_refused_by_name() {
    let bench = Bench::new();
    let mut command = command(&bench, &bench.spec("sft", "lora", "out", &json!({})));
    let run = command.env(anneal_kernels::MAX_ISA, "sse9").output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    let error =
        support::parse(std::str::from_utf8(&run.stdout).unwrap()).into_iter().find_map(|line| match line {
            Line::Error { field, message, .. } => Some((field, message)),
            _ => None,
        });
    let (field, message) = error.unwrap();
    assert_eq!(field.as_deref(), Some(anneal_kernels::MAX_ISA));
    assert!(message.contains("`sse9`") && message.contains("avx512"), "{message}");
}

/// The binary with a spec.
fn command(bench: &Bench, spec: &Value) -> Command {
    std::fs::write(bench.path("spec.json"), spec.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_anneal-trainer"));
    command.arg("run").arg(bench.path("spec.json"));
    command
}

fn started(bench: &Bench, spec: &Value) -> Child {
    command(bench, spec).stdout(Stdio::piped()).spawn().unwrap()
}

/// What is printed until `step` is reported.
fn read_until(lines: &mut impl BufRead, step: u64) -> String {
    let mut text = String::new();
    while !text.contains(&format!("\"step\":{step},")) {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
    }
    text
}

/// Runs the spec until `step` was reported, then ends it.
fn stop_after(bench: &Bench, spec: &Value, step: u64) -> String {
    let mut child = started(bench, spec);
    let text = read_until(&mut BufReader::new(child.stdout.take().unwrap()), step);
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

fn losses(text: &str) -> BTreeMap<u64, u64> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let losses = lines.filter_map(|line| match line {
        Line::Metric { step, values } => Some((step, values.get("loss").copied().flatten()?.to_bits())),
        _ => None,
    });
    losses.collect()
}
