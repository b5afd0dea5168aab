//! Every cell of the matrix: it learns, it resumes to the bit, it does not depend on the number of threads.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use serde_json::{Value, json};
use support::{Bench, lay_over};

/// Task, method, and what else makes the cell.
fn cells() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("pretrain", "full", json!({})),
        ("pretrain", "full", json!({"packing": true, "precision": "bf16"})),
        ("pretrain", "full", json!({"precision": "fp16"})),
        ("sft", "full", json!({})),
        ("sft", "full", json!({"precision": "bf16", "gradient_checkpointing": true})),
        ("sft", "full", json!({"precision": "fp16"})),
        ("sft", "lora", json!({"lora": {"dropout": 0.1}})),
        ("sft", "lora", json!({"precision": "bf16", "packing": true})),
        (
            "sft",
            "lora",
            json!({"precision": "fp16", "gradient_checkpointing": true, "lora": {"dropout": 0.1}}),
        ),
        ("sft", "qlora", json!({})),
        ("sft", "qlora", json!({"precision": "bf16", "lora": {"double_quantization": true}})),
        ("sft", "qlora", json!({"precision": "fp16"})),
        ("dpo", "lora", json!({})),
        ("dpo", "lora", json!({"precision": "fp16"})),
        ("dpo", "lora", json!({"precision": "bf16", "dpo": {"loss": "ipo"}})),
        ("dpo", "qlora", json!({"dpo": {"loss": "hinge"}})),
    ]
}

#[test]
fn every_cell_resumes_to_the_bit() {
    let bench = Bench::new();
    for (index, (task, method, changes)) in cells().into_iter().enumerate() {
        let name = format!("{task} {method} {changes}");
        let mut spec = bench.spec(task, method, &format!("whole-{index}"), &changes);
        lay_over(&mut spec, &json!({"save_interval": 4, "split": [80, 20, 0]}));
        let whole = bench.run(&spec).assert_done();
        lay_over(
            &mut spec,
            &json!({"resume_from": whole.output.join("checkpoint-4"), "output_dir": bench.path(&format!("rest-{index}"))}),
        );
        let rest = bench.run(&spec).assert_done();
        // The continued run gives out again what came before.
        for metric in ["loss", "grad_norm", "eval/loss"] {
            assert!(whole.bits(metric).iter().any(|(step, _)| *step > 4));
            assert_eq!(rest.bits(metric), whole.bits(metric), "{name}: {metric}");
        }
        assert!(whole.weights() == rest.weights(), "{name}: the weights differ");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let bench = Bench::new();
    for (index, (task, method, changes)) in cells().into_iter().enumerate() {
        let mut spec = bench.spec(task, method, &format!("two-{index}"), &changes);
        let two = bench.run(&spec).assert_done();
        lay_over(&mut spec, &json!({"threads": 1, "output_dir": bench.path(&format!("one-{index}"))}));
        let one = bench.run(&spec).assert_done();
        assert_eq!(one.bits("loss"), two.bits("loss"), "{task} {method} {changes}");
        assert!(one.weights() == two.weights(), "{task} {method} {changes}");
    }
}

#[test]
fn every_cell_learns_one_batch_by_heart() {
    let bench = Bench::new();
    for (index, (task, method, changes)) in cells().into_iter().enumerate() {
        let mut spec = bench.spec(task, method, &format!("out-{index}"), &changes);
        lay_over(&mut spec, &json!({"max_steps": 60, "shuffle": false, "log_interval": 1}));
        let rows = std::fs::read_to_string(spec["dataset"].as_str().unwrap()).unwrap();
        let few: String = rows.lines().take(4).fold(String::new(), |text, row| text + row + "\n");
        let few = if task == "pretrain" { few.repeat(3) } else { few };
        std::fs::write(bench.path("few.jsonl"), few).unwrap();
        lay_over(&mut spec, &json!({"dataset": bench.path("few.jsonl"), "lora": {"dropout": 0.0}}));
        let run = bench.run(&spec).assert_done();
        let losses = run.series("loss");
        let (first, last) = (losses[0].1, losses[losses.len() - 1].1);
        assert!(last < first * 0.5, "{task} {method} {changes}: {first} to {last}");
    }
}

#[test]
fn accumulation_and_checkpointing_do_not_change_the_loss() {
    let bench = Bench::new();
    let spec =
        bench.spec("sft", "full", "a", &json!({"micro_batch_size": 4, "gradient_accumulation_steps": 1}));
    let whole = bench.run(&spec).assert_done();
    let spec =
        bench.spec("sft", "full", "b", &json!({"micro_batch_size": 1, "gradient_accumulation_steps": 4}));
    let parts = bench.run(&spec).assert_done();
    for ((_, a), (_, b)) in whole.series("loss").into_iter().zip(parts.series("loss")) {
        assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
    }
    let base = json!({"micro_batch_size": 4, "gradient_accumulation_steps": 1});
    let mut spec = bench.spec("sft", "full", "c", &base);
    lay_over(&mut spec, &json!({"gradient_checkpointing": true}));
    let recomputed = bench.run(&spec).assert_done();
    assert_eq!(whole.bits("loss"), recomputed.bits("loss"));
}

#[test]
fn packing_gives_the_same_sums_as_rows() {
    let bench = Bench::new();
    // One pack of all rows against one step of all rows.
    let changes =
        json!({"max_steps": 2, "shuffle": false, "micro_batch_size": 24, "gradient_accumulation_steps": 1});
    let rows = bench.run(&bench.spec("sft", "lora", "rows", &changes)).assert_done();
    let changes = json!({"max_steps": 2, "shuffle": false, "micro_batch_size": 1, "gradient_accumulation_steps": 1,
                         "packing": true, "sequence_length": 512});
    let mut spec = bench.spec("sft", "lora", "packed", &changes);
    let text = std::fs::read_to_string(bench.path("sft.jsonl")).unwrap();
    let few: String = text.lines().take(6).fold(String::new(), |text, row| text + row + "\n");
    std::fs::write(bench.path("few.jsonl"), &few).unwrap();
    lay_over(&mut spec, &json!({"dataset": bench.path("few.jsonl")}));
    let packed = bench.run(&spec).assert_done();
    let mut spec = bench.spec(
        "sft",
        "lora",
        "few",
        &json!({"max_steps": 2, "shuffle": false, "micro_batch_size": 6, "gradient_accumulation_steps": 1}),
    );
    lay_over(&mut spec, &json!({"dataset": bench.path("few.jsonl")}));
    let few = bench.run(&spec).assert_done();
    assert_eq!(packed.bits("loss"), few.bits("loss"));
    assert_ne!(rows.bits("loss"), few.bits("loss"));
}
