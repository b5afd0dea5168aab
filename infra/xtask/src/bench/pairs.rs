//! Ours and a peer in turn (A B A B …), and the ratios of what both measured, pair by pair.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cargo::say;

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
