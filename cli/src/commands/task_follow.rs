//! Staying with a task: its progress, its log.

use std::{io::Write, time::Duration};

use anneal_domain::{id::TaskId, task::TaskState};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{client::Api, failure::Failure, output::Output};

const LOOK: Duration = Duration::from_millis(700);
/// The server may be restarted while we watch.
const PATIENCE: u32 = 40;

/// Shows progress until the task has ended, or is paused, which only somebody else can change; [`Failure::TaskEnded`] when it
/// did not succeed.
pub(super) async fn watch(api: &Api, output: &Output, task: TaskId) -> Result<(), Failure> {
    let bar = ProgressBar::new(100);
    let template = "{prefix:10} {msg:28!} {bar:30} {pos:>3}%";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let ended = loop {
        let shown = patiently(api, &format!("tasks/{task}"), &[]).await?;
        show(&bar, &shown);
        if is_over(&shown) {
            break shown;
        }
        tokio::time::sleep(LOOK).await;
    };
    bar.finish_and_clear();
    output.show(&ended)?;
    match state(&ended) {
        "succeeded" => Ok(()),
        other => Err(Failure::TaskEnded(other.to_owned())),
    }
}

fn show(bar: &ProgressBar, task: &Value) {
    let progress = &task["progress"];
    bar.set_prefix(state(task).to_owned());
    bar.set_position(progress["percent"].as_f64().unwrap_or_default().clamp(0.0, 100.0) as u64);
    let stage = progress["stage"].as_str().or(task["stage"].as_str()).unwrap_or_default();
    let left = match progress["eta_seconds"].as_f64() {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            format!(", {} left", HumanDuration(Duration::from_secs(seconds.min(1e9) as u64)))
        }
        _ => String::new(),
    };
    bar.set_message(format!("{stage}{left}"));
}

/// Prints the log; with `follow`, until the task has ended or is paused and everything it wrote is shown.
pub(super) async fn logs(
    api: &Api,
    output: &Output,
    task: TaskId,
    stage: Option<String>,
    follow: bool,
) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        // Asked before the log: what an ended task wrote is all there.
        let ended = !follow || is_over(&patiently(api, &format!("tasks/{task}"), &[]).await?);
        loop {
            let mut query = vec![("limit", "1000".to_owned())];
            query.extend(stage.clone().map(|stage| ("stage", stage)));
            query.extend(after.clone().map(|after| ("after", after)));
            let page = patiently(api, &format!("tasks/{task}/logs"), &query).await?;
            let lines = page["data"].as_array().cloned().unwrap_or_default();
            for line in &lines {
                print(output, line)?;
            }
            let next = match &page["next_after"] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let moved = next.is_some() && next != after;
            after = next.or(after);
            if lines.is_empty() || !moved {
                break;
            }
        }
        if ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn print(output: &Output, line: &Value) -> Result<(), Failure> {
    if output.is_json() {
        return output.text(&format!("{line}\n"));
    }
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let message: String =
        text("message").chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    output.text(&format!("{} {:5} {:12} {message}\n", text("at"), text("level"), text("stage")))
}

/// As a plain GET, but a server that is away for a moment is waited for.
async fn patiently(api: &Api, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
    let mut left = PATIENCE;
    loop {
        match api.get(path, query).await {
            Err(Failure::Http(error)) if left > 0 => {
                left -= 1;
                if left == PATIENCE - 1 {
                    writeln!(std::io::stderr(), "anneal: the server is away, trying again ({error})").ok();
                }
                tokio::time::sleep(LOOK).await;
            }
            other => return other,
        }
    }
}

/// Nothing more will happen by itself: it has ended, or waits for somebody to resume it.
fn is_over(task: &Value) -> bool {
    TaskState::parse(state(task)).is_some_and(|state| state.is_terminal() || state == TaskState::Paused)
}

fn state(task: &Value) -> &str {
    task["state"].as_str().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn watching_ends_when_nothing_more_happens_by_itself() {
        let over = |state: &str| is_over(&json!({ "state": state }));
        for state in ["succeeded", "failed", "stopped", "cancelled", "paused"] {
            assert!(over(state), "{state}");
        }
        for state in ["queued", "running", "pausing", "stopping", "cancelling"] {
            assert!(!over(state), "{state}");
        }
    }
}
