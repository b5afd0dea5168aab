//! Headings, facts, and the progress of a task with its ETA.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::api::Api;

const LOOK: Duration = Duration::from_millis(400);
/// Without a terminal, progress is a line this often, and one at each new stage.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Says which step begins.
pub(crate) fn heading(number: usize, what: &str) {
    eprintln!("\n\x1b[1;36m{number}. {what}\x1b[0m");
}

/// Says one fact of a step.
pub(crate) fn fact(name: &str, value: &str) {
    eprintln!("   {name:<22} {value}");
}

/// Watches a task until it ends, showing its progress; returns the task as the API shows it. Only success is no error.
pub(crate) async fn watch(api: &Api, task: &str) -> Result<Value> {
    let mut progress = Progress::new()?;
    loop {
        let shown = api.get(&format!("/api/v1/tasks/{task}")).await?;
        let state = shown["state"].as_str().unwrap_or("unknown");
        progress.show(state, &shown);
        match state {
            "succeeded" => {
                progress.bar.finish_and_clear();
                fact("finished in", &format!("{:.1} s", progress.began.elapsed().as_secs_f64()));
                return Ok(shown);
            }
            "failed" | "stopped" | "cancelled" => {
                progress.bar.abandon();
                bail!("task {task} ended {state}: {}", shown["failure"]);
            }
            "paused" => {
                progress.bar.abandon();
                bail!("task {task} was paused, and nobody will resume it: does the balance cover it?");
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// A bar at a terminal, lines elsewhere.
struct Progress {
    bar: ProgressBar,
    began: Instant,
    said: Option<(String, Instant)>,
}

impl Progress {
    fn new() -> Result<Self> {
        let bar = ProgressBar::new(100);
        bar.set_style(ProgressStyle::with_template("   {bar:32.cyan/blue} {percent:>3}% {msg}")?);
        Ok(Self { bar, began: Instant::now(), said: None })
    }

    fn show(&mut self, state: &str, task: &Value) {
        let progress = &task["progress"];
        let percent = progress["percent"].as_f64().unwrap_or(0.0);
        let stage = progress["stage"].as_str().or(task["stage"].as_str()).unwrap_or_default();
        let left = progress["eta_seconds"].as_f64().map_or(String::new(), |s| format!(", {s:.0} s left"));
        let text = format!("{state} {stage} ({:.0} s{left})", self.began.elapsed().as_secs_f64());
        self.bar.set_position(percent as u64);
        self.bar.set_message(text.clone());
        let place = format!("{state} {stage}");
        let is_news =
            self.said.as_ref().is_none_or(|(said, at)| *said != place || at.elapsed() >= LINE_EVERY);
        if self.bar.is_hidden() && is_news {
            eprintln!("   {percent:>3.0}% {text}");
            self.said = Some((place, Instant::now()));
        }
    }
}
