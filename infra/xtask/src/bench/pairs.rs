//! Ours and a peer in turn (A B A B …), and the ratios of what both measured, pair by pair.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::cargo::{build_release, say, target_dir};

/// What every comparison with a Python peer needs.
#[derive(Args)]
pub(super) struct Sides {
    /// The Python that has the peer's packages.
    #[arg(long)]
    pub(super) python: PathBuf,
    /// The folder with the peer's program.
    #[arg(long)]
    pub(super) peers: PathBuf,
    /// The folder with the data.
    #[arg(long)]
    pub(super) data: PathBuf,
    /// A Hugging Face folder.
    #[arg(long)]
    pub(super) model: PathBuf,
    /// How often each side runs.
    #[arg(long, default_value_t = 2)]
    pub(super) runs: usize,
    /// CPU threads of each side.
    #[arg(long, default_value_t = 2)]
    pub(super) threads: usize,
    /// Our engine's device; the peer is told its own with the peer's arguments.
    #[arg(long, default_value = "cpu")]
    pub(super) device: String,
    /// The folder of our engines, where it is not the release build made for this (`cargo xtask cuda` says its own).
    #[arg(long)]
    engines: Option<PathBuf>,
}

impl Sides {
    /// The folder of our engines, which are built where none was named.
    pub(super) fn engines(&self) -> Result<PathBuf> {
        if let Some(folder) = &self.engines {
            return Ok(folder.clone());
        }
        build_release()?;
        Ok(target_dir()?.join("release"))
    }

    /// A program of the peer's folder, with what all of them take. While it waits it leaves the processor to others, so that
    /// two threads do not spin against each other on a busy machine.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.peers.join(name)).arg("--model").arg(&self.model);
        command.args(["--threads", &self.threads.to_string()]).env("OMP_WAIT_POLICY", "passive");
        command
    }
}

/// A figure by name, such as `samples/s`.
pub(super) type Figure = (&'static str, f64);

/// Runs both sides `runs` times in turn and prints a table; both give the same figures in the same order.
pub(super) fn in_turn(
    what: &str,
    runs: usize,
    mut ours: impl FnMut() -> Result<Vec<Figure>>,
    mut peer: impl FnMut() -> Result<Vec<Figure>>,
) -> Result<()> {
    let mut pairs = Vec::new();
    for run in 1..=runs {
        say(&format!("{what}, run {run} of {runs}: ours"));
        let a = ours()?;
        say(&format!("{what}, run {run} of {runs}: the peer"));
        pairs.push((a, peer()?));
    }
    let names: Vec<&str> =
        pairs.first().context("nothing was run")?.0.iter().map(|figure| figure.0).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n| {what} | ours | peer | ours / peer, each pair |\n|---|---|---|---|")?;
    for (n, name) in names.into_iter().enumerate() {
        let (mut a, mut b): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(a, b)| (a[n].1, b[n].1)).unzip();
        let ratios: Vec<String> = a.iter().zip(&b).map(|(a, b)| format!("{:.2}", a / b)).collect();
        writeln!(out, "| {name} | {:.2} | {:.2} | {} |", median(&mut a), median(&mut b), ratios.join(", "))?;
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The JSON lines that a program prints, each with the seconds from the start until it came; the program must end well.
pub(super) fn timed_lines(command: &mut Command) -> Result<Vec<(f64, Value)>> {
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?} does not start"))?;
    let output = child.stdout.take().context("no standard output")?;
    let mut lines: Vec<(f64, Value)> = Vec::new();
    let mut other = String::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        match serde_json::from_str(&line) {
            Ok(value) => lines.push((started.elapsed().as_secs_f64(), value)),
            Err(_) => other = line,
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let last = lines.last().map_or(other, |(_, value)| value.to_string());
        bail!("{command:?} ended with {status}: {last}");
    }
    Ok(lines)
}
