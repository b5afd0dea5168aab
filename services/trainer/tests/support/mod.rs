//! A tiny model, tiny datasets and a way to run the engine on them.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anneal_contracts::engine::{ExitKind, Level, Line};
use anneal_model::formula::TinyModel;
use anneal_trainer::engine::{Stop, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with a model and three datasets.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

/// What a run said and how it ended.
pub(crate) struct Run {
    pub(crate) ending: ExitKind,
    pub(crate) lines: Vec<Line>,
    pub(crate) output: PathBuf,
}

/// Keeps the lines; asks to stop once one of them holds `needle`.
#[derive(Clone)]
struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
    needle: Option<String>,
    stop: Stop,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        if self.needle.as_ref().is_some_and(|needle| String::from_utf8_lossy(bytes).contains(needle)) {
            self.stop.request();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const WORDS: [&str; 12] =
    ["red", "blue", "stone", "river", "seven", "cat", "moon", "salt", "green", "bird", "iron", "sun"];

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        TinyModel::default().write(&folder.path().join("model")).unwrap();
        let bench = Self { folder };
        let word = |n: usize| WORDS[n * 7 % 12];
        bench.rows("sft.jsonl", |n| {
            json!({"messages": [{"role": "user", "content": format!("say {} {}", word(n), word(n + 1))},
                                {"role": "assistant", "content": word(n + 3)}]})
        });
        bench.rows("dpo.jsonl", |n| {
            json!({"prompt": [{"role": "user", "content": format!("pick {}", word(n))}],
                   "chosen": [{"role": "assistant", "content": word(n + 3)}],
                   "rejected": [{"role": "assistant", "content": format!("not {}", word(n + 5))}]})
        });
        bench.rows(
            "text.jsonl",
            |n| json!({"text": format!("{} {} {} and {}", word(n), word(n + 2), word(n + 5), word(n + 7))}),
        );
        bench
    }

    fn rows(&self, name: &str, row: impl Fn(usize) -> Value) {
        let text = (0..24).fold(String::new(), |text, n| text + &row(n).to_string() + "\n");
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A spec for `task`; `changes` are laid over it.
    pub(crate) fn spec(&self, task: &str, method: &str, output: &str, changes: &Value) -> Value {
        let dataset = match task {
            "pretrain" => "text.jsonl",
            "dpo" => "dpo.jsonl",
            _ => "sft.jsonl",
        };
        let mut spec = json!({
            "task_type": task, "method": method, "precision": "fp32", "threads": 2,
            "model": self.path("model"), "dataset": self.path(dataset),
            "sequence_length": 64, "micro_batch_size": 2, "gradient_accumulation_steps": 2,
            "max_steps": 6, "save_interval": 100, "optimizer": {"learning_rate": 1e-2, "schedule": "linear"},
            "output_dir": self.path(output),
        });
        lay_over(&mut spec, changes);
        spec
    }

    pub(crate) fn run(&self, spec: &Value) -> Run {
        self.run_until(spec, None)
    }

    /// Runs the spec; the run is asked to stop as soon as it says a line that holds `needle`.
    pub(crate) fn run_until(&self, spec: &Value, needle: Option<&str>) -> Run {
        let path = self.folder.path().join("spec.json");
        std::fs::write(&path, spec.to_string()).unwrap();
        Self::run_file(&path, spec["output_dir"].as_str().unwrap_or_default(), needle)
    }

    pub(crate) fn run_file(path: &Path, output: &str, needle: Option<&str>) -> Run {
        let (stop, needle) = (Stop::new(), needle.map(str::to_owned));
        let sink = Sink { bytes: Arc::default(), needle, stop: stop.clone() };
        let ending = run(path, Box::new(sink.clone()), &stop);
        let text = String::from_utf8(sink.bytes.lock().unwrap().clone()).unwrap();
        Run { ending, lines: parse(&text), output: PathBuf::from(output) }
    }
}

/// Lays the fields of `changes` over those of `value`.
pub(crate) fn lay_over(value: &mut Value, changes: &Value) {
    match (value, changes) {
        (Value::Object(map), Value::Object(changes)) => {
            for (name, change) in changes {
                lay_over(map.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change.clone(),
    }
}

/// The lines of an engine's output.
pub(crate) fn parse(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Run {
    pub(crate) fn assert_done(self) -> Self {
        assert_eq!(self.ending, ExitKind::Done, "{:?}", self.lines.last());
        assert!(matches!(self.lines.last(), Some(Line::Result { .. })));
        self
    }

    /// A metric by step, bit for bit.
    pub(crate) fn series(&self, name: &str) -> Vec<(u64, f64)> {
        let values = self.lines.iter().filter_map(|line| match line {
            Line::Metric { step, values } => Some((*step, values.get(name).copied().flatten()?)),
            _ => None,
        });
        values.collect()
    }

    /// Step and names of every metric line.
    pub(crate) fn points(&self) -> Vec<(u64, Vec<String>)> {
        let points = self.lines.iter().filter_map(|line| match line {
            Line::Metric { step, values } => Some((*step, values.keys().cloned().collect())),
            _ => None,
        });
        points.collect()
    }

    /// Steps of the checkpoints, and whether each was the best so far.
    pub(crate) fn checkpoints(&self) -> Vec<(u64, bool)> {
        let checkpoints = self.lines.iter().filter_map(|line| match line {
            Line::Checkpoint { step, best, .. } => Some((*step, *best)),
            _ => None,
        });
        checkpoints.collect()
    }

    /// A figure of the result.
    pub(crate) fn figure(&self, name: &str) -> Value {
        match self.lines.last() {
            Some(Line::Result { figures }) => figures[name].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warnings = self.lines.iter().filter_map(|line| match line {
            Line::Log { level: Level::Warn, message, .. } => Some(message.as_str()),
            _ => None,
        });
        warnings.collect()
    }

    pub(crate) fn bits(&self, name: &str) -> Vec<(u64, u64)> {
        self.series(name).into_iter().map(|(step, value)| (step, value.to_bits())).collect()
    }

    pub(crate) fn error(&self) -> (String, String, String) {
        match self.lines.last() {
            Some(Line::Error { code, field, message, .. }) => {
                (code.clone(), field.clone().unwrap_or_default(), message.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The bytes of the final weights.
    pub(crate) fn weights(&self) -> Vec<u8> {
        let adapter = self.output.join("adapter/adapter_model.safetensors");
        let model = self.output.join("model/model.safetensors");
        std::fs::read(if adapter.exists() { adapter } else { model }).unwrap()
    }
}

/// The steps of the records of a TensorBoard folder's one event file.
pub(crate) fn event_steps(folder: &Path) -> Vec<u64> {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut steps, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let event = &bytes[at + 12..at + 12 + length];
        // Field 1, the time, takes nine bytes; field 2, the step, is a varint and left out where it is 0.
        assert_eq!(event[0], 0x09);
        steps.push(if event[9] == 0x10 { u64::from(event[10]) } else { 0 });
        at += 12 + length + 4;
    }
    steps
}
