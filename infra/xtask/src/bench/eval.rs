//! `cargo xtask bench eval -- --python P --peers DIR --data DIR --model DIR`: the engine and lm-evaluation-harness in turn on the same
//! samples of the same task, in the same precision, from the loaded model to the aggregated scores: on both sides all but the start of the
//! program and the loading of weights, which the engine does only when it knows that there is something to score.
//!
//! The peer is `run_eval.py` of the folder `--peers`; `--data` is what its `prepare_data.py` wrote.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use super::pairs::{Figure, Sides, in_turn, timed_lines};

#[derive(Parser)]
#[command(name = "cargo xtask bench eval --", no_binary_name = true)]
struct Arguments {
    /// `--peers` has `run_eval.py` and `tasks/`, `--data` the tasks' data files.
    #[command(flatten)]
    sides: Sides,
    /// Tasks, by their file names in `tasks/`.
    #[arg(long = "task", default_values_t = ["arc_easy".to_owned(), "hellaswag".to_owned(), "wikitext".to_owned(), "gsm8k".to_owned()])]
    tasks: Vec<String>,
    /// Samples of each task.
    #[arg(long, default_value_t = 40)]
    limit: u64,
    /// The peer's batch size.
    #[arg(long, default_value_t = 8)]
    batch: u64,
    /// Of the products, on both sides.
    #[arg(long, default_value = "fp32")]
    precision: Precision,
    /// Context of the model, where it is to be shorter than its own.
    #[arg(long)]
    max_length: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    Fp32,
    Bf16,
}

impl Precision {
    fn ours(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        }
    }

    fn torch(self) -> &'static str {
        match self {
            Self::Fp32 => "float32",
            Self::Bf16 => "bfloat16",
        }
    }
}

/// Runs the benchmark and prints a table for each task.
pub(super) fn run(rest: &[String]) -> Result<()> {
    let arguments = Arguments::try_parse_from(rest)?;
    let engines = arguments.sides.engines()?;
    let folder = std::env::temp_dir().join(format!("anneal-bench-eval-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = arguments.tasks.iter().try_for_each(|task| {
        in_turn(
            task,
            arguments.sides.runs,
            || ours(&engines, &arguments, task, &folder),
            || peer(&arguments, task, &folder),
        )
    });
    fs::remove_dir_all(&folder)?;
    outcome
}

fn ours(engines: &Path, arguments: &Arguments, task: &str, folder: &Path) -> Result<Vec<Figure>> {
    let output = folder.join("output");
    let _ = fs::remove_dir_all(&output);
    let spec = json!({
        "model": arguments.sides.model, "precision": arguments.precision.ours(), "threads": arguments.sides.threads, "device": arguments.sides.device, "max_length": arguments.max_length,
        "bootstrap_iterations": 1000, "output_dir": output,
        "tasks": [{"name": arguments.sides.peers.join("tasks").join(format!("{task}.yaml")), "dataset": arguments.sides.data,
                   "limit": arguments.limit}],
    });
    let path = folder.join("spec.json");
    fs::write(&path, spec.to_string())?;
    let lines = timed_lines(Command::new(engines.join("anneal-evaluator")).arg("run").arg(&path))?;
    let from = at(&lines, "open_model", "finished")?;
    let weights = at(&lines, "load_weights", "finished")? - at(&lines, "load_weights", "started")?;
    let (to, result) = lines.last().context("the engine printed nothing")?;
    let peak = result["peak_rss_bytes"].as_f64().context("no peak_rss_bytes")?;
    Ok(figures(arguments.limit as f64 / (to - from - weights), peak / 1e6))
}

/// When a stage of the engine reached a state.
fn at(lines: &[(f64, Value)], stage: &str, state: &str) -> Result<f64> {
    let said = |(_, line): &&(f64, Value)| {
        line["type"] == "stage" && line["name"] == stage && line["state"] == state
    };
    Ok(lines.iter().find(said).with_context(|| format!("the engine's stage {stage} was never {state}"))?.0)
}

fn peer(arguments: &Arguments, task: &str, folder: &Path) -> Result<Vec<Figure>> {
    let out = folder.join("peer.json");
    let mut command = arguments.sides.program("run_eval.py");
    command.arg("--data").arg(&arguments.sides.data).arg("--out").arg(&out).arg("--no-samples");
    command.args(["--task", &format!("local_{task}"), "--limit", &arguments.limit.to_string()]);
    command.args(["--batch", &arguments.batch.to_string(), "--dtype", arguments.precision.torch()]);
    if let Some(length) = arguments.max_length {
        command.args(["--max-length", &length.to_string()]);
    }
    timed_lines(&mut command)?;
    let report: Value = serde_json::from_slice(&fs::read(&out)?)?;
    let speed = |key: &str| report["speed"][key].as_f64().with_context(|| format!("the peer gave no {key}"));
    let samples = report["n"].as_f64().context("the peer gave no n")?;
    Ok(figures(samples / speed("evaluate_s")?, speed("peak_rss_mib")? * 1.048_576))
}

fn figures(samples_per_second: f64, peak_megabytes: f64) -> Vec<Figure> {
    vec![("samples/s", samples_per_second), ("peak memory, MB", peak_megabytes)]
}
