//! A workplace for an evaluation: the tiny model made of a formula, datasets, specs, and the lines that came back.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::needless_pass_by_value, reason = "calls read better with json! in place")]
#![allow(unreachable_pub, reason = "shared by test binaries")]
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::engine::{self, Stop};
use serde_json::{Value, json};

/// A folder with a tiny model in `model/`.
pub struct Place {
    pub folder: tempfile::TempDir,
}

/// What a run printed and how it ended.
pub struct Ran {
    pub ending: ExitKind,
    pub lines: Vec<Value>,
}

impl Ran {
    pub fn error(&self) -> &Value {
        self.lines.iter().find(|line| line["type"] == "error").unwrap_or(&Value::Null)
    }

    pub fn result(&self) -> &Value {
        let last = self.lines.last().unwrap();
        assert_eq!(last["type"], "result", "{:#?}", self.lines);
        last
    }

    /// The stages that ended well, in order.
    pub fn stages(&self) -> Vec<&str> {
        let ended = self.lines.iter().filter(|line| line["type"] == "stage" && line["state"] == "finished");
        ended.map(|line| line["name"].as_str().unwrap()).collect()
    }

    pub fn logs(&self) -> String {
        let logs = self.lines.iter().filter(|line| line["type"] == "log");
        logs.map(|line| line["message"].as_str().unwrap().to_owned() + "\n").collect()
    }
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        anneal_model::formula::write_tiny_folder(&folder.path().join("model")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a weight of the model's last norm NaN.
    pub fn break_model(&self) {
        let weights = self.path("model/model.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + header_bytes]).unwrap();
        let at = 8 + header_bytes + header["model.norm.weight"]["data_offsets"][0].as_u64().unwrap() as usize;
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&weights, bytes).unwrap();
    }

    pub fn rows(&self, name: &str, rows: &[Value]) -> PathBuf {
        let text: String = rows.iter().map(|row| row.to_string() + "\n").collect();
        self.file(name, &text)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs one task; `more` overrides fields of the spec.
    pub fn run(&self, task: Value, output: &str, more: Value) -> Ran {
        self.run_until(task, output, more, &Stop::new())
    }

    pub fn run_until(&self, task: Value, output: &str, more: Value, stop: &Stop) -> Ran {
        let mut spec = json!({"model": self.path("model"), "tasks": [task], "threads": 2, "output_dir": self.path(output)});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = self.file(&format!("{output}.spec.json"), &spec.to_string());
        run_spec(&path, stop)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    pub fn samples(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn run_spec(spec: &Path, stop: &Stop) -> Ran {
    let written = Shared::default();
    let ending = engine::run(spec, Box::new(written.clone()), stop);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    Ran { ending, lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
}

/// Multiple-choice rows of uneven lengths.
pub fn choice_rows(count: usize) -> Vec<Value> {
    let words =
        ["the cat", "a dog and the hat", "in the end there was", "no", "one more thing that they said"];
    (0..count)
        .map(|index| {
            let choices: Vec<String> = (0..4)
                .map(|c| format!("{} {}", words[(index + c) % 5], words[(index * 3 + c) % 5]))
                .collect();
            let question =
                format!("{} {}?", words[index % 5], words[(index * 7 + 2) % 5].repeat(1 + index % 3));
            json!({"question": question, "choices": choices, "answer": index % 4})
        })
        .collect()
}
