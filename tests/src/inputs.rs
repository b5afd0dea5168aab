//! Small inputs made by formula: a tiny model and rows that it can learn.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Writes the tiny Llama as a Hugging Face folder.
pub fn tiny_model(folder: &Path) -> PathBuf {
    let path = folder.join("tiny-model");
    anneal_model::formula::write_tiny_folder(&path).unwrap();
    path
}

/// Instruction rows.
pub fn chat_rows(count: usize) -> String {
    lines((0..count).map(|n| {
        let (a, b) = (n % 7, n % 5);
        json!({"messages": [
            {"role": "user", "content": format!("What is {a} and {b}?")},
            {"role": "assistant", "content": format!("It is {}.", a + b)},
        ]})
    }))
}

/// Questions with four choices.
pub fn question_rows(count: usize) -> String {
    lines((0..count).map(|n| {
        let (a, b) = (n % 7, n % 5);
        let choices: Vec<String> = (0..4).map(|k| (a + b + k).to_string()).collect();
        json!({"question": format!("What is {a} and {b}?"), "choices": choices, "answer": 0})
    }))
}

/// Plain text documents.
pub fn text_rows(count: usize) -> String {
    lines(
        (0..count)
            .map(|n| json!({"text": format!("The sum of {} and {} is {}. ", n, n + 1, 2 * n + 1).repeat(6)})),
    )
}

/// A fine-tuning of the tiny model: `steps` steps with a checkpoint every `save` of them.
pub fn training(model: &str, dataset: &str, steps: u64, save: u64) -> Value {
    json!({
        "kind": "training", "task_type": "sft", "method": "lora", "precision": "fp32", "model": model,
        "dataset": dataset, "split": [100, 0, 0], "sequence_length": 64, "micro_batch_size": 2,
        "max_steps": steps, "save_interval": save, "learning_rate": 0.01, "lora": {"dropout": 0.1},
    })
}

fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.fold(String::new(), |lines, row| lines + &row.to_string() + "\n")
}
