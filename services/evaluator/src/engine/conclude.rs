//! The end of a task: its answers are scored, its samples written and summed up.

use anneal_contracts::engine::Level;

use super::error::{Error, Result};
use super::evaluate::{Asked, Rows};
use super::output::Output;
use super::results::{Journal, Sample, Score, TaskSummary, write_samples};
use super::run::Run;
use super::scoring::{Metric, MetricOf, Pipeline, aggregate, score_row};
use super::tasks::{BadRow, Task};

/// Scores the answers, writes the samples and sums up.
pub(super) fn conclude(
    run: &mut Run<'_>,
    task: &Task,
    metrics: &[MetricOf],
    pipelines: &[Pipeline],
    asked: &[Asked<'_>],
    journal: &Journal,
    mut rows: Rows,
) -> Result<TaskSummary> {
    let mut samples = Vec::new();
    let mut scores = Vec::new();
    for pipeline in pipelines {
        let own = filtered(task, metrics, pipeline, asked, journal, &mut rows.bad);
        scores.extend(figures(task, metrics, &pipeline.name, &own, run.spec.bootstrap_iterations)?);
        samples.extend(own);
    }
    rows.tolerate(task, "", run.output)?;
    let truncated = truncation(task, asked, journal, run.output);
    let hash = write_samples(&run.folder.join(format!("samples_{}.jsonl", task.name())), task, &samples)?;
    Ok(TaskSummary {
        config: task.config.clone(),
        num_fewshot: 0,
        scores,
        higher_is_better: metrics
            .iter()
            .map(|metric| (metric.name.clone(), metric.higher_is_better))
            .collect(),
        original: 0,
        effective: samples.len() / pipelines.len().max(1),
        split: task.split.clone(),
        truncated,
        bad: rows.bad,
        bad_examples: Vec::new(),
        hash,
    })
}

/// The answered rows under one filter; those that cannot be scored are bad.
fn filtered<'a>(
    task: &Task,
    metrics: &[MetricOf],
    pipeline: &'a Pipeline,
    asked: &'a [Asked<'_>],
    journal: &'a Journal,
    bad: &mut Vec<BadRow>,
) -> Vec<Sample<'a>> {
    let mut rows: Vec<Sample<'a>> = Vec::with_capacity(asked.len());
    for row in asked {
        let Some(answered) = journal.answers(row.doc.id(), &row.digest) else { continue };
        let filtered = answered
            .responses
            .iter()
            .map(|answers| pipeline.apply(answers))
            .collect::<std::result::Result<Vec<_>, _>>();
        let scored = filtered.and_then(|filtered| {
            score_row(task, metrics, row.doc, &filtered).map(|metrics| (filtered, metrics))
        });
        match scored {
            Ok((filtered, metrics)) => rows.push(Sample {
                doc: row.doc,
                requests: &row.requests,
                answered,
                filter: &pipeline.name,
                filtered,
                metrics,
            }),
            Err(reason) if bad.iter().all(|known| known.row != row.doc.row) => {
                bad.push(BadRow { row: row.doc.row, line: row.doc.line, reason });
            }
            Err(_) => {}
        }
    }
    rows
}

fn figures(
    task: &Task,
    metrics: &[MetricOf],
    filter: &str,
    rows: &[Sample<'_>],
    bootstrap_iterations: usize,
) -> Result<Vec<Score>> {
    let mut scores = Vec::new();
    for metric in metrics {
        let values: Vec<Metric> = rows
            .iter()
            .filter_map(|row| {
                row.metrics.iter().find(|(name, _)| *name == metric.name).map(|(_, value)| value.clone())
            })
            .collect();
        if values.is_empty() {
            continue;
        }
        let (value, error) = aggregate(metric.aggregation, &values, bootstrap_iterations)
            .map_err(|message| Error::task(task.name(), format!("metric {}: {message}", metric.name)))?;
        scores.push(Score { metric: metric.name.clone(), filter: filter.to_owned(), value, error });
    }
    Ok(scores)
}

/// Rows that were cut from the left, and the ids cut; told when there are any.
fn truncation(task: &Task, asked: &[Asked<'_>], journal: &Journal, output: &mut Output) -> (usize, usize) {
    let cut: Vec<usize> = asked
        .iter()
        .filter_map(|row| journal.answers(row.doc.id(), &row.digest))
        .map(|answered| answered.truncated)
        .filter(|tokens| *tokens > 0)
        .collect();
    let total = cut.iter().sum();
    if !cut.is_empty() {
        let message = format!(
            "{}: {} prompts were longer than the context; {total} tokens were cut from their left",
            task.name(),
            cut.len()
        );
        output.log(Level::Warn, message);
    }
    (cut.len(), total)
}
