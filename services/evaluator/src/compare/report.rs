//! The comparison in words, for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anneal_comparison::{Cause, MetricComparison, Samples, TaskComparison};

use super::{Report, Side};

/// Values longer than this are cut in a line of text.
const LONGEST_VALUE: usize = 60;
/// Sample numbers told in a line of text; the JSON has all.
const MOST_IDS: usize = 10;

/// Writes the comparison.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let side = |side: &Side| format!("{} ({})", side.folder, value(&side.model));
    writeln!(out, "A: {}", side(&report.a))?;
    writeln!(out, "B: {}", side(&report.b))?;
    let comparison = &report.comparison;
    for (name, tasks) in [("A", &comparison.only_in_a), ("B", &comparison.only_in_b)] {
        if !tasks.is_empty() {
            writeln!(out, "only in {name}: {}", tasks.join(", "))?;
        }
    }
    causes(&comparison.causes, "", out)?;
    for (name, task) in &comparison.tasks {
        write_task(name, task, comparison.causes.is_empty(), out)?;
    }
    for (name, metrics) in &comparison.groups {
        writeln!(out, "\n{name} (group)")?;
        write_metrics(metrics, out)?;
    }
    Ok(())
}

fn write_task(name: &str, task: &TaskComparison, alike: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{name}: {} samples in both", task.samples)?;
    causes(&task.causes, "  ", out)?;
    if task.other_answer > 0 {
        let (other, same) = (task.other_answer, task.same_prompt);
        writeln!(out, "  {other} of {same} samples with the same prompt were answered otherwise")?;
        if alike && task.causes.is_empty() {
            writeln!(out, "  nothing that an evaluation records explains that")?;
        }
    }
    write_metrics(&task.metrics, out)
}

fn write_metrics(metrics: &BTreeMap<String, MetricComparison>, out: &mut dyn Write) -> io::Result<()> {
    for (name, metric) in metrics {
        write!(out, "  {name}: {:.4} -> {:.4}, {:+.4}", metric.a, metric.b, metric.difference)?;
        if let Some(interval) = &metric.interval {
            let percent = interval.level * 100.0;
            write!(out, ", {percent:.0}% interval {:+.4} to {:+.4}", interval.low, interval.high)?;
        }
        writeln!(out)?;
        if let Some(flips) = &metric.flips {
            writeln!(out, "    right to wrong: {}", samples(&flips.right_to_wrong))?;
            writeln!(out, "    wrong to right: {}", samples(&flips.wrong_to_right))?;
            writeln!(out, "    McNemar's exact p: {:.4}", flips.mcnemar_p)?;
        }
    }
    Ok(())
}

fn causes(causes: &[Cause], indent: &str, out: &mut dyn Write) -> io::Result<()> {
    for cause in causes {
        let (a, b) = (value(&cause.a), value(&cause.b));
        writeln!(out, "{indent}{} differs: {} (A: {a}; B: {b})", cause.what, cause.explanation)?;
    }
    Ok(())
}

fn samples(samples: &Samples) -> String {
    let Some(ids) = samples.ids.as_ref().filter(|ids| !ids.is_empty()) else {
        return samples.count.to_string();
    };
    let told: Vec<String> = ids.iter().take(MOST_IDS).map(usize::to_string).collect();
    let more = if ids.len() > MOST_IDS { ", …" } else { "" };
    format!("{} ({}{more})", samples.count, told.join(", "))
}

fn value(value: &serde_json::Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
