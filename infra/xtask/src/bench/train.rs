//! `cargo xtask bench train -- --python P --peers DIR --data DIR --model DIR`: the engine and a PyTorch peer in turn (A B A B) on
//! the same rows with the same hyper-parameters, and the ratios, pair by pair.
//!
//! For pretraining also the share of the machine's bf16 matrix peak that the model's own products reach, the peak as PyTorch reaches it just
//! before. `ONEDNN_MAX_CPU_ISA` and `ANNEAL_MAX_ISA` measure a machine as if it had less.
//!
//! The peer is `peer_train.py` of the folder `--peers`; what it needs is installed in the environment of `--python`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use super::{
    pairs::{Figure, Sides, in_turn, timed_lines},
    peak::{matrix_peak, training_flops},
};

#[derive(Parser)]
#[command(name = "cargo xtask bench train --", no_binary_name = true)]
struct Arguments {
    /// `--peers` has `peer_train.py`; `--data` has `sft/alpaca_en_demo.json`, `preference/dpo_en_demo.json` and
    /// `wiki_demo/wiki_demo.txt`.
    #[command(flatten)]
    sides: Sides,
    /// What to train; all when none is named.
    #[arg(long = "case", value_enum)]
    cases: Vec<Case>,
    /// Rows that are trained on, once; of the pretraining text, packed sequences.
    #[arg(long, default_value_t = 24)]
    rows: usize,
    /// More arguments of the peer, which go before ours: `--engine=loop`, `--checkpointing=off`, or `--packing` with `--steps=0`.
    #[arg(long = "peer", allow_hyphen_values = true)]
    peer: Vec<String>,
}

/// A cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    SftLora,
    SftFull,
    DpoLora,
    Pretrain,
}

impl Case {
    const ALL: [Self; 4] = [Self::SftLora, Self::SftFull, Self::DpoLora, Self::Pretrain];

    fn file(self) -> &'static str {
        match self {
            Self::SftLora | Self::SftFull => "sft/alpaca_en_demo.json",
            Self::DpoLora => "preference/dpo_en_demo.json",
            Self::Pretrain => "wiki_demo/wiki_demo.txt",
        }
    }

    /// Task type, method, batch, sequence length, learning rate.
    fn shape(self) -> (&'static str, &'static str, usize, usize, f64) {
        match self {
            Self::SftLora => ("sft", "lora", 4, 1024, 2e-4),
            Self::SftFull => ("sft", "full", 4, 1024, 1e-5),
            Self::DpoLora => ("dpo", "lora", 2, 1024, 5e-6),
            Self::Pretrain => ("pretrain", "full", 2, 512, 1e-4),
        }
    }
}

/// Runs the benchmark and prints a table for each case.
pub(super) fn run(rest: &[String]) -> Result<()> {
    let arguments = Arguments::try_parse_from(rest)?;
    let engines = arguments.sides.engines()?;
    let cases = if arguments.cases.is_empty() { Case::ALL.to_vec() } else { arguments.cases.clone() };
    let folder = std::env::temp_dir().join(format!("anneal-bench-train-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = cases.into_iter().try_for_each(|case| measure(&engines, &arguments, case, &folder));
    fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(engines: &Path, arguments: &Arguments, case: Case, folder: &Path) -> Result<()> {
    let data = rows(&arguments.sides.data.join(case.file()), arguments.rows, folder)?;
    let what = format!("{case:?}");
    let share = |figures: Vec<Figure>, peak: Option<f64>| with_share(arguments, figures, peak);
    in_turn(
        &what,
        arguments.sides.runs,
        || {
            let peak = peak_of(arguments, case)?;
            share(ours(engines, arguments, case, &data, folder)?, peak)
        },
        || {
            let peak = peak_of(arguments, case)?;
            share(peer(arguments, case, &data)?, peak)
        },
    )
}

/// The machine's peak, for pretraining.
fn peak_of(arguments: &Arguments, case: Case) -> Result<Option<f64>> {
    let Sides { python, threads, .. } = &arguments.sides;
    (case == Case::Pretrain).then(|| matrix_peak(python, *threads)).transpose()
}

fn with_share(arguments: &Arguments, mut figures: Vec<Figure>, peak: Option<f64>) -> Result<Vec<Figure>> {
    let Some(peak) = peak else { return Ok(figures) };
    let (_, tokens) = figures.iter().find(|(name, _)| *name == TOKENS).context("no tokens/s")?;
    let (_, _, _, length, _) = Case::Pretrain.shape();
    let config = arguments.sides.model.join("config.json");
    let text = fs::read_to_string(&config).with_context(|| config.display().to_string())?;
    let reached = tokens * training_flops(&serde_json::from_str(&text)?, length)?;
    figures.push(("of the matrix peak, %", 100.0 * reached / peak));
    Ok(figures)
}

/// The first rows of a file, in a file of their own.
fn rows(path: &Path, count: usize, folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let name = path.file_name().context("no file name")?;
    let part = if path.extension().is_some_and(|ending| ending == "json") {
        let all: Vec<Value> = serde_json::from_str(&text)?;
        serde_json::to_string(&all.into_iter().take(count).collect::<Vec<_>>())?
    } else {
        text.lines().filter(|line| !line.trim().is_empty()).take(count).collect::<Vec<_>>().join("\n")
    };
    let part_path = folder.join(name);
    fs::write(&part_path, part)?;
    Ok(part_path)
}

fn ours(
    engines: &Path,
    arguments: &Arguments,
    case: Case,
    data: &Path,
    folder: &Path,
) -> Result<Vec<Figure>> {
    let (task_type, method, batch, length, rate) = case.shape();
    let output = folder.join("output");
    let _ = fs::remove_dir_all(&output);
    let spec = json!({
        "task_type": task_type, "method": method, "precision": "bf16", "device": arguments.sides.device, "threads": arguments.sides.threads,
        "model": arguments.sides.model, "dataset": data, "split": [100, 0, 0], "shuffle": false, "sequence_length": length,
        "packing": case == Case::Pretrain, "epochs": 1, "max_steps": arguments.rows / batch, "micro_batch_size": batch, "global_batch_size": batch,
        "optimizer": {"learning_rate": rate, "schedule": "linear"}, "save_interval": 1_000_000, "output_dir": output,
    });
    let path = folder.join("spec.json");
    fs::write(&path, spec.to_string())?;
    let mut command = Command::new(engines.join("anneal-trainer"));
    let lines = timed_lines(command.arg("run").arg(&path))?;
    let values: Vec<&Value> =
        lines.iter().filter(|(_, line)| line["type"] == "metric").map(|(_, line)| &line["values"]).collect();
    let sum = |key: &str| values.iter().filter_map(|values| values[key].as_f64()).sum::<f64>();
    let peak = values.iter().filter_map(|values| values["peak_rss_bytes"].as_f64()).fold(0.0, f64::max);
    let seconds = sum("step_seconds");
    if seconds <= 0.0 {
        bail!("the engine reported no steps");
    }
    let samples = (arguments.rows / batch * batch) as f64;
    Ok(figures(samples / seconds, sum("tokens") / seconds, peak / 1e6))
}

fn peer(arguments: &Arguments, case: Case, data: &Path) -> Result<Vec<Figure>> {
    let (task_type, method, batch, length, rate) = case.shape();
    let mut command = arguments.sides.program("peer_train.py");
    command.args(["--engine", "trl", "--precision", "bf16", "--method", task_type, "--tuning", method]);
    command.arg("--data").arg(data).args(["--batch", &batch.to_string()]);
    command.args(["--steps", &(arguments.rows / batch).to_string(), "--max-len", &length.to_string()]);
    command.args(["--lr", &rate.to_string()]).args(&arguments.peer);
    let lines = timed_lines(&mut command)?;
    let summary = lines.iter().rev().find_map(|(_, line)| line.get("summary"));
    let summary = summary.context("the peer gave no summary")?;
    let number =
        |key: &str| summary[key].as_f64().with_context(|| format!("the peer's summary has no {key}"));
    let tokens = number("real_tokens_per_second").or_else(|_| number("tokens_per_second"))?;
    // MiB, as the peer counts.
    Ok(figures(number("samples_per_second")?, tokens, number("rss_peak_mb")? * 1.048_576))
}

const TOKENS: &str = "tokens/s";

fn figures(samples_per_second: f64, tokens_per_second: f64, peak_megabytes: f64) -> Vec<Figure> {
    vec![("samples/s", samples_per_second), (TOKENS, tokens_per_second), ("peak memory, MB", peak_megabytes)]
}
