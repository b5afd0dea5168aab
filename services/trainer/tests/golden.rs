//! Frozen curves of every valid cell of task × method × precision, made by this trainer on a formula-initialised tiny model.
//!
//! A change that is not meant to change numbers keeps them. One that is meant to writes them anew:
//!
//!     cargo test -p anneal-trainer --test golden -- --ignored write_the_curves
//!
//! and its commit says why they moved. They are compared within what different instruction sets may differ by.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::path::PathBuf;

use anneal_kernels::{Isa, best_isa, use_isa};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::Bench;

const STEPS: usize = 8;

/// Losses and gradient norms of the first steps; `None` where fp16 overflowed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    loss: Vec<Option<f64>>,
    grad_norm: Vec<Option<f64>>,
}

/// Task, method, precision of every valid cell.
fn cells() -> Vec<[&'static str; 3]> {
    let rows = [
        ("pretrain", "full"),
        ("sft", "full"),
        ("sft", "lora"),
        ("sft", "qlora"),
        ("dpo", "lora"),
        ("dpo", "qlora"),
    ];
    let precisions = ["fp32", "bf16", "fp16"];
    rows.into_iter()
        .flat_map(|(task, method)| precisions.map(|precision| [task, method, precision]))
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from("tests/golden")
}

fn path(cell: [&str; 3]) -> PathBuf {
    folder().join(cell.join("-") + ".json")
}

fn curve(bench: &Bench, [task, method, precision]: [&str; 3]) -> Curve {
    let mut changes = json!({"precision": precision, "max_steps": STEPS,
                             "optimizer": {"learning_rate": 2e-3, "schedule": "cosine", "warmup_ratio": 0.25}});
    if method != "full" {
        changes["lora"] = json!({"dropout": 0.05});
    }
    let run = bench.run(&bench.spec(task, method, "out", &changes)).assert_done();
    let series = |name: &str| -> Vec<Option<f64>> {
        let values = run.lines.iter().filter_map(|line| match line {
            anneal_contracts::engine::Line::Metric { values, .. } => Some(values[name]),
            _ => None,
        });
        values.collect()
    };
    Curve { loss: series("loss"), grad_norm: series("grad_norm") }
}

/// The largest relative difference; infinite where the shapes differ.
fn distance(ours: &[Option<f64>], golden: &[Option<f64>]) -> f64 {
    if ours.len() != golden.len() {
        return f64::INFINITY;
    }
    let apart = ours.iter().zip(golden).map(|pair| match pair {
        (Some(ours), Some(golden)) => (ours - golden).abs() / golden.abs().max(1e-12),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    });
    apart.fold(0.0, f64::max)
}

#[test]
fn every_cell_keeps_its_curve() {
    let bench = Bench::new();
    for isa in [Isa::Plain, best_isa()] {
        use_isa(isa).unwrap();
        for cell in cells() {
            let golden: Curve = serde_json::from_slice(&std::fs::read(path(cell)).unwrap()).unwrap();
            assert_eq!(golden.loss.len(), STEPS);
            let ours = curve(&bench, cell);
            let tolerance = if cell[2] == "fp32" { 1e-4 } else { 2e-2 };
            for (name, ours, golden) in
                [("loss", ours.loss, golden.loss), ("grad_norm", ours.grad_norm, golden.grad_norm)]
            {
                let apart = distance(&ours, &golden);
                assert!(apart <= tolerance, "{cell:?} on {isa:?}, {name}: {apart:e}\n{ours:?}\n{golden:?}");
            }
        }
    }
}

#[test]
fn every_curve_has_a_cell() {
    let mut expected: Vec<PathBuf> = cells().into_iter().map(path).collect();
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
#[ignore = "writes the curves instead of comparing with them"]
fn write_the_curves() {
    let bench = Bench::new();
    for cell in cells() {
        let text = serde_json::to_string_pretty(&json!(curve(&bench, cell))).unwrap();
        std::fs::write(path(cell), text + "\n").unwrap();
    }
}

#[test]
fn a_difference_is_seen() {
    let value = |text: Value| -> Vec<Option<f64>> { serde_json::from_value(text).unwrap() };
    let golden = value(json!([2.0, null]));
    assert!((distance(&value(json!([2.02, null])), &golden) - 0.01).abs() < 1e-12);
    for other in [json!([2.0, 1.0]), json!([null, null]), json!([2.0])] {
        assert!(distance(&value(other.clone()), &golden).is_infinite(), "{other}");
    }
}
