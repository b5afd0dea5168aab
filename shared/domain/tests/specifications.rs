//! The rules of the creation forms, as a user meets them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_domain::spec::{EvaluationDataset, TaskSpec};
use serde_json::{Value, json};

const MODEL: &str = "model-00000000000000000000000000000001";
const DATASET: &str = "ds-00000000000000000000000000000002";

fn training(changes: &Value) -> Value {
    let base =
        json!({"kind": "training", "task_type": "sft", "model": MODEL, "method": "lora", "dataset": DATASET});
    merged(base, changes)
}

fn merged(mut base: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

/// The fields that are refused, in order, each once.
fn refused(spec: Value) -> Vec<String> {
    let spec: TaskSpec = serde_json::from_value(spec).unwrap();
    let mut fields: Vec<String> = spec.validate().into_iter().map(|error| error.field).collect();
    fields.dedup();
    fields
}

#[test]
fn benchmarks_of_a_training_obey_the_rules_of_an_evaluation_s() {
    let entry =
        |benchmark: &str, limit: u64| json!({"benchmark": benchmark, "dataset": DATASET, "limit": limit});
    let of = |datasets: Value| refused(training(&json!({"checkpoint_evaluation": {"datasets": datasets}})));
    assert!(of(json!([entry("arc_easy", 5), entry("heldout_loss", 5)])).is_empty());
    assert_eq!(of(json!([])), ["spec.checkpoint_evaluation.datasets"]);
    assert_eq!(
        of(json!([entry("arc", 5), entry("piqa", 0), entry("sciq", 1), entry("sciq", 2)])),
        [
            "spec.checkpoint_evaluation.datasets[0].benchmark",
            "spec.checkpoint_evaluation.datasets[1].limit",
            "spec.checkpoint_evaluation.datasets[3].benchmark",
        ]
    );
    let base = json!({"kind": "evaluation", "model_source": "builtin", "model": MODEL, "datasets": [entry("piqa", 1)],
        "checkpoint": "ckpt-00000000000000000000000000000003", "leak_check": true});
    assert_eq!(refused(base), ["spec.from_task", "spec.leak_check"]);
}

#[test]
fn the_matrix_of_types_and_methods() {
    let valid = [
        ("pretrain", "full"),
        ("sft", "full"),
        ("sft", "lora"),
        ("sft", "qlora"),
        ("dpo", "lora"),
        ("dpo", "qlora"),
    ];
    for task_type in ["pretrain", "sft", "dpo"] {
        for method in ["full", "lora", "qlora"] {
            let fields = refused(training(&json!({"task_type": task_type, "method": method})));
            let expected: &[&str] = if valid.contains(&(task_type, method)) { &[] } else { &["spec.method"] };
            assert_eq!(fields, expected, "{task_type} × {method}");
        }
    }
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let fields = refused(training(&json!({
        "split": [98, 1, 0],
        "epochs": 0,
        "learning_rate": -1.0,
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "global_batch_size": 9,
        "save_interval": 0,
        "full": {},
        "dpo": {},
        "lora": {"rank": 0, "dropout": 1.0, "target_modules": ["q_proj", "lm_head"]},
        "pool": "turbo",
    })));
    let expected = [
        "full",
        "dpo",
        "split",
        "epochs",
        "learning_rate",
        "save_interval",
        "global_batch_size",
        "lora.rank",
        "lora.dropout",
        "lora.target_modules",
        "pool",
    ];
    // `lora` is the method, so its own block is welcome while `full` and `dpo` are not.
    assert_eq!(fields, expected.map(|field| format!("spec.{field}")));
}

#[test]
fn unknown_keys_and_wrong_types_are_refused() {
    for bad in [
        training(&json!({"learning_rte": 1e-4})),
        training(&json!({"epochs": "three"})),
        training(&json!({"split": [100, 0]})),
        training(&json!({"model": "../../etc/passwd"})),
        training(&json!({"lora": {"ranks": 8}})),
        training(&json!({"micro_batch_size": -1})),
        json!({"kind": "distillation"}),
    ] {
        assert!(serde_json::from_value::<TaskSpec>(bad.clone()).is_err(), "{bad} was accepted");
    }
}

#[test]
fn only_pretraining_learns_a_tokenizer() {
    let asked = |task_type: &str, size: usize| {
        let tokenizer = json!({"train": {"vocab_size": size}});
        refused(training(&json!({"task_type": task_type, "method": "full", "tokenizer": tokenizer})))
    };
    assert_eq!(asked("pretrain", 8192), Vec::<String>::new());
    assert_eq!(asked("sft", 8192), ["spec.tokenizer"]);
    assert_eq!(asked("pretrain", 511), ["spec.tokenizer.train.vocab_size"]);
    assert_eq!(asked("pretrain", 262_145), ["spec.tokenizer.train.vocab_size"]);
}

#[test]
fn parallel_sizes_must_divide_the_pool() {
    let options = json!({"tensor_parallel": 2, "min_learning_rate": 1.0});
    let fields = refused(training(&json!({"method": "full", "full": options, "learning_rate": 0.1})));
    assert_eq!(
        fields,
        ["spec.full.min_learning_rate", "spec.full.tensor_parallel", "spec.full.pipeline_parallel"]
    );
}

#[test]
fn what_the_engine_refuses_is_refused_before_it_is_queued() {
    let refused_once = |changes: Value, field: &str| {
        assert_eq!(refused(training(&changes)), [field], "{changes}");
    };
    refused_once(json!({"method": "full", "full": {"flash_attention": false}}), "spec.full.flash_attention");
    let large = json!({"micro_batch_size": 65_536, "gradient_accumulation_steps": 17});
    refused_once(large, "spec.gradient_accumulation_steps");
}

#[test]
fn options_that_would_not_act_are_refused() {
    let full = |changes: Value| merged(training(&json!({"method": "full"})), &changes);
    // The default rate of full fine-tuning is 2e-5.
    for (spec, field) in [
        (full(json!({"full": {"min_learning_rate": 1e-4}})), "full.min_learning_rate"),
        (
            full(json!({"full": {"min_learning_rate": 1e-6}, "schedule": "constant"})),
            "full.min_learning_rate",
        ),
        (training(&json!({"lora": {"double_quantization": true}})), "lora.double_quantization"),
        (training(&json!({"eval_interval": 10, "split": [100, 0, 0]})), "eval_interval"),
        (training(&json!({"early_stopping_patience": 1, "split": [100, 0, 0]})), "early_stopping_patience"),
        (training(&json!({"task_type": "dpo", "loss_on": "all"})), "loss_on"),
        (
            training(&json!({"task_type": "dpo", "dpo": {"loss": "hinge", "label_smoothing": 0.1}})),
            "dpo.label_smoothing",
        ),
        (full(json!({"task_type": "pretrain", "loss_on": "completion"})), "loss_on"),
        (training(&json!({"weight_decay": -1.0})), "weight_decay"),
        (training(&json!({"max_grad_norm": -1.0})), "max_grad_norm"),
        (training(&json!({"keep_checkpoints": 0})), "keep_checkpoints"),
        (training(&json!({"eval_interval": 0})), "eval_interval"),
    ] {
        assert_eq!(refused(spec.clone()), [format!("spec.{field}")], "{spec}");
    }
    let good = json!({"method": "qlora", "lora": {"double_quantization": true, "gradient_checkpointing": true},
                      "eval_interval": 10, "early_stopping_patience": 3, "export": "last", "loss_on": "all",
                      "weight_decay": 0.1, "max_grad_norm": 0.0, "keep_checkpoints": 1});
    assert_eq!(refused(training(&good)), Vec::<String>::new());
}

#[test]
fn evaluations() {
    let row = |n: usize| json!({"benchmark": "arc_easy", "dataset": DATASET, "alias": format!("part-{n}")});
    let rows = |n: usize| (0..n).map(row).collect::<Vec<_>>();
    let spec = |datasets: Value| json!({"kind": "evaluation", "model_source": "builtin", "model": MODEL, "datasets": datasets});
    assert_eq!(refused(spec(json!(rows(3)))), Vec::<String>::new());
    assert_eq!(refused(spec(json!([]))), ["spec.datasets"]);
    let twice = json!([{"benchmark": "piqa", "dataset": DATASET}, {"benchmark": "piqa", "dataset": DATASET}]);
    assert_eq!(refused(spec(twice)), ["spec.datasets[1].benchmark"]);
    assert_eq!(refused(spec(json!([row(0), row(0)]))), ["spec.datasets[1].alias"]);
    let bad = json!([{"benchmark": "../x", "dataset": DATASET, "limit": 0}]);
    assert_eq!(refused(spec(bad)), ["spec.datasets[0].benchmark", "spec.datasets[0].limit"]);
    for (benchmark, limit, wrong) in [
        ("humaneval", json!(1), "benchmark"),
        ("arc_easy", json!(u64::MAX), "limit"),
        ("mmlu", json!(10_000_001), "limit"),
    ] {
        let one = json!([{"benchmark": benchmark, "dataset": DATASET, "limit": limit}]);
        assert_eq!(refused(spec(one)), [format!("spec.datasets[0].{wrong}")]);
    }
    for (count, free) in [(1, true), (2, true), (3, false)] {
        let TaskSpec::Evaluation(evaluation) = serde_json::from_value(spec(json!(rows(count)))).unwrap()
        else {
            panic!("not an evaluation");
        };
        assert_eq!(evaluation.is_free(), free, "{count} datasets");
    }
}

#[test]
fn scores_are_found_under_the_names_that_results_give_them() {
    let name = |entry: Value, benchmark: &str| {
        let entry: EvaluationDataset =
            serde_json::from_value(merged(json!({"dataset": DATASET}), &entry)).unwrap();
        entry.score_name(benchmark)
    };
    let found = |name: &str| Some(name.to_owned());
    assert_eq!(name(json!({"benchmark": "piqa"}), "piqa"), found("piqa"));
    assert_eq!(name(json!({"benchmark": "ceval"}), "ceval-valid"), found("ceval-valid"));
    assert_eq!(name(json!({"benchmark": "ceval", "alias": "mine"}), "ceval-valid_law"), found("mine_law"));
    assert_eq!(name(json!({"benchmark": "mmlu_anatomy"}), "mmlu"), None);
    assert_eq!(name(json!({"benchmark": "arc_easy"}), "arc"), None);
    let own = json!({"benchmark": "exam", "task": {"doc_to_text": "q"}});
    assert_eq!((name(own.clone(), "exam"), name(own, "exam_law")), (found("exam"), None));
}

#[test]
fn compilations() {
    let base =
        json!({"kind": "compilation", "model_source": "trained", "model": MODEL, "quantization": "int8"});
    let spec = |changes: Value| merged(base.clone(), &changes);
    assert_eq!(refused(spec(json!({"calibration": "c4"}))), Vec::<String>::new());
    assert_eq!(refused(spec(json!({"calibration": {"dataset": DATASET}}))), Vec::<String>::new());
    assert_eq!(refused(spec(json!({}))), ["spec.calibration"]);
    assert_eq!(refused(spec(json!({"quantization": "fp16", "calibration": "ceval"}))), ["spec.calibration"]);
    assert_eq!(
        refused(spec(json!({"calibration": "c4", "tensor_parallel": 2, "max_perplexity_ratio": 0.9}))),
        ["spec.tensor_parallel", "spec.max_perplexity_ratio"]
    );
}
