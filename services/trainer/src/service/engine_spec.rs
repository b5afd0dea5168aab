//! A training task as the engine's spec file.

use anneal_contracts::{
    engine::{Dpo, LoraSpec, OptimizerSpec, Parallel, TrainerSpec},
    event::Failure,
};
use anneal_domain::spec::TrainingSpec;
use anneal_worker::{Folders, unsupported};
use serde_json::Value;

/// Where each checkpoint is scored, the engine keeps a few more: the service takes each before it goes.
const LEAST_KEPT: usize = 4;

pub(super) fn write(spec: &TrainingSpec, folders: &Folders) -> Result<Value, Failure> {
    if folders.inputs.contains_key("adapter") {
        return Err(unsupported(
            "spec.model",
            "training on top of an adapter: choose its base, or a merged model",
        ));
    }
    let full = spec.full.clone().unwrap_or_default();
    let adapter = spec.lora.clone().unwrap_or_default();
    let dpo = spec.dpo.clone().unwrap_or_default();
    let engine = TrainerSpec {
        task_type: spec.task_type,
        method: spec.method,
        precision: spec.precision,
        device: "auto".to_owned(),
        threads: folders.threads,
        model: folders.input("model")?,
        model_name: Some(spec.model.to_string()),
        tokenizer: spec.tokenizer,
        initial_weights: None,
        dataset: folders.input("dataset")?,
        dataset_format: "auto".to_owned(),
        split: spec.split.0,
        shuffle: true,
        seed: spec.seed,
        sequence_length: spec.sequence_length,
        packing: spec.packing,
        loss_on: spec.loss_on,
        epochs: spec.epochs,
        max_steps: spec.max_steps,
        micro_batch_size: spec.micro_batch_size,
        gradient_accumulation_steps: spec.gradient_accumulation_steps,
        global_batch_size: spec.global_batch_size,
        optimizer: OptimizerSpec {
            learning_rate: spec.learning_rate,
            min_learning_rate: full.min_learning_rate,
            schedule: spec.schedule,
            warmup_ratio: spec.warmup_ratio,
            weight_decay: spec.weight_decay,
            max_grad_norm: spec.max_grad_norm,
            ..OptimizerSpec::default()
        },
        lora: LoraSpec {
            rank: adapter.rank,
            alpha: adapter.alpha,
            dropout: adapter.dropout,
            target_modules: adapter.target_modules,
            double_quantization: adapter.double_quantization,
            ..LoraSpec::default()
        },
        dpo: Dpo { beta: dpo.beta, loss: dpo.loss, label_smoothing: dpo.label_smoothing },
        flash_attention: full.flash_attention,
        gradient_checkpointing: full.gradient_checkpointing || adapter.gradient_checkpointing,
        parallel: Parallel {
            tensor: full.tensor_parallel,
            pipeline: full.pipeline_parallel,
            sequence: full.sequence_parallel,
            zero: adapter.zero,
        },
        log_interval: spec.log_interval,
        eval_interval: spec.eval_interval,
        early_stopping_patience: spec.early_stopping_patience,
        save_interval: spec.save_interval,
        export: spec.export,
        keep_checkpoints: match spec.checkpoint_evaluation {
            Some(_) => spec.keep_checkpoints.max(LEAST_KEPT),
            None => spec.keep_checkpoints,
        },
        resume_from: folders.resume_from.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
        output_dir: folders.output.to_string_lossy().into_owned(),
    };
    Ok(serde_json::to_value(engine).expect("a spec of numbers, text and lists is always JSON"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn folders() -> Folders {
        let inputs = [("model", "/in/model"), ("dataset", "/in/dataset")];
        let inputs: BTreeMap<_, _> =
            inputs.iter().map(|(role, path)| ((*role).to_owned(), (*path).into())).collect();
        Folders { inputs, output: "/out".into(), resume_from: Some("/resume".into()), threads: 2 }
    }

    #[test]
    fn a_tokenizer_to_learn_reaches_the_engine() {
        let spec: TrainingSpec = serde_json::from_value(json!({
            "task_type": "pretrain", "method": "full", "model": "model-00000000000000000000000000000001",
            "dataset": "ds-00000000000000000000000000000002", "tokenizer": {"train": {"vocab_size": 4096}}
        }))
        .unwrap();
        let written = write(&spec, &folders()).unwrap();
        assert_eq!(written["tokenizer"], json!({"train": {"vocab_size": 4096}}));
    }

    #[test]
    fn every_field_of_the_form_reaches_the_engine() {
        let spec: TrainingSpec = serde_json::from_value(json!({
            "task_type": "dpo", "method": "qlora", "model": "model-00000000000000000000000000000001",
            "dataset": "ds-00000000000000000000000000000002", "sequence_length": 256, "precision": "fp32",
            "split": [90, 5, 5], "epochs": 2.0, "max_steps": 7, "learning_rate": 1e-4, "schedule": "linear",
            "warmup_ratio": 0.1, "micro_batch_size": 2, "gradient_accumulation_steps": 3, "save_interval": 5,
            "log_interval": 2, "seed": 7, "weight_decay": 0.01, "max_grad_norm": 0.5, "eval_interval": 3,
            "early_stopping_patience": 4, "keep_checkpoints": 5, "export": "last",
            "lora": {"rank": 4, "alpha": 8.0, "dropout": 0.1, "target_modules": ["q_proj"],
                     "gradient_checkpointing": true, "double_quantization": true},
            "dpo": {"beta": 0.2, "loss": "ipo", "label_smoothing": 0.0}
        }))
        .unwrap();
        let written = write(&spec, &folders()).unwrap();
        for (pointer, value) in [
            ("/task_type", json!("dpo")),
            ("/method", json!("qlora")),
            ("/model", json!("/in/model")),
            ("/model_name", json!("model-00000000000000000000000000000001")),
            ("/dataset", json!("/in/dataset")),
            ("/split", json!([90, 5, 5])),
            ("/max_steps", json!(7)),
            ("/optimizer/learning_rate", json!(1e-4)),
            ("/optimizer/schedule", json!("linear")),
            ("/optimizer/warmup_ratio", json!(0.1)),
            ("/optimizer/weight_decay", json!(0.01)),
            ("/optimizer/max_grad_norm", json!(0.5)),
            ("/eval_interval", json!(3)),
            ("/early_stopping_patience", json!(4)),
            ("/keep_checkpoints", json!(5)),
            ("/export", json!("last")),
            ("/gradient_checkpointing", json!(true)),
            ("/lora/double_quantization", json!(true)),
            ("/lora/rank", json!(4)),
            ("/lora/target_modules", json!(["q_proj"])),
            ("/dpo/loss", json!("ipo")),
            ("/resume_from", json!("/resume")),
            ("/output_dir", json!("/out")),
            ("/threads", json!(2)),
        ] {
            assert_eq!(written.pointer(pointer), Some(&value), "{pointer}");
        }
        let read: TrainerSpec = serde_json::from_value(written).unwrap();
        assert_eq!(read.save_interval, 5);
        let sft = json!({
            "task_type": "sft", "method": "full", "model": "model-00000000000000000000000000000001",
            "dataset": "ds-00000000000000000000000000000002", "loss_on": "all", "full": {"gradient_checkpointing": true}
        });
        let written = write(&serde_json::from_value(sft).unwrap(), &folders()).unwrap();
        assert_eq!((&written["loss_on"], &written["gradient_checkpointing"]), (&json!("all"), &json!(true)));
    }

    #[test]
    fn a_missing_input_names_its_role() {
        let spec: TrainingSpec = serde_json::from_value(json!({
            "task_type": "sft", "method": "full", "model": "model-00000000000000000000000000000001",
            "dataset": "ds-00000000000000000000000000000002"
        }))
        .unwrap();
        let mut folders = folders();
        folders.inputs.remove("dataset");
        assert_eq!(write(&spec, &folders).unwrap_err().field.as_deref(), Some("dataset"));
    }
}
