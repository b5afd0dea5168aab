//! Progress bars with ETAs, and headings.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::api::Api;

/// Says which step begins.
pub(crate) fn heading(number: usize, what: &str) {
    eprintln!("\n\x1b[1;36m{number}. {what}\x1b[0m");
}

/// Says one fact of a step.
pub(crate) fn fact(name: &str, value: &str) {
    eprintln!("   {name:<22} {value}");
}

/// Watches a task until it ends, drawing its progress; returns the task as the API shows it.
pub(crate) async fn watch(api: &Api, task: &str) -> Result<Value> {
    let bar = ProgressBar::new(100);
    let style = ProgressStyle::with_template("   {bar:32.cyan/blue} {percent:>3}% {msg}")?;
    bar.set_style(style);
    let began = Instant::now();
    loop {
        let shown = api.get(&format!("/api/v1/tasks/{task}")).await?;
        let state = shown["state"].as_str().unwrap_or("unknown").to_owned();
        let progress = &shown["progress"];
        if progress.is_object() {
            bar.set_position(progress["percent"].as_f64().unwrap_or(0.0) as u64);
        }
        let eta = progress["eta_seconds"].as_f64().map_or(String::new(), |s| format!(", {s:.0} s left"));
        let stage = progress["stage"].as_str().or(shown["stage"].as_str()).unwrap_or_default();
        bar.set_message(format!("{state} {stage} ({:.0} s{eta})", began.elapsed().as_secs_f64()));
        match state.as_str() {
            "succeeded" => {
                bar.finish_and_clear();
                fact("finished in", &format!("{:.1} s", began.elapsed().as_secs_f64()));
                return Ok(shown);
            }
            "failed" | "stopped" | "cancelled" => {
                bar.abandon();
                bail!("task {task} ended {state}: {}", shown["failure"]);
            }
            _ => tokio::time::sleep(Duration::from_millis(400)).await,
        }
    }
}
