//! One task: load its rows, ask what was not answered yet, score, write the samples.

use std::path::{Path, PathBuf};

use anneal_contracts::engine::{EvaluatorSpec, Level};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::answer::answer;
use super::backend::{Model, hex};
use super::conclude::conclude;
use super::error::{Error, Result};
use super::output::Output;
use super::prompts::{Chat, Request, Sampling, context, conversation, requests};
use super::rescore::take_answers;
use super::results::TaskSummary;
use super::run::Run;
use super::scoring::{Pipeline, metrics_of};
use super::tasks::{BadRow, Doc, Loaded, OutputType, Task, TaskConfig, load};

/// A task and how it is to be run.
pub(super) struct Plan {
    /// Its name in results and files.
    pub name: String,
    /// The task's fields.
    pub config: TaskConfig,
    /// File or folder of its rows.
    pub dataset: PathBuf,
    /// Examples in the prompt.
    pub num_fewshot: usize,
    /// Score the first n rows only.
    pub limit: Option<usize>,
}

/// One row with its requests.
pub(super) struct Asked<'a> {
    pub doc: &'a Doc,
    pub requests: Vec<Request>,
    /// Digest of the requests.
    pub digest: String,
}

/// The rows of a task that are evaluated: how many, and those that cannot be used.
pub(super) struct Rows {
    /// Rows within the limit, bad ones included.
    pub within: usize,
    /// Of these the bad ones.
    pub bad: Vec<BadRow>,
    /// The share of bad rows that is put up with.
    share: f64,
}

/// Runs one task.
pub(super) fn evaluate(
    run: &mut Run<'_>,
    model: &mut Model,
    plan: Plan,
    header: &Map<String, Value>,
) -> Result<TaskSummary> {
    let (limit, num_fewshot) = (plan.limit, plan.num_fewshot);
    let Loaded { mut task, bad, bad_examples } = load(plan.config, &plan.dataset, num_fewshot)?;
    task.config.task = plan.name;
    let task = task;
    let invalid = |message: String| Error::task(task.name(), message);
    let metrics = metrics_of(&task).map_err(invalid)?;
    let pipelines = Pipeline::compile(task.config.filter_list.as_deref()).map_err(invalid)?;
    tell_split(&task, run.output);
    let share = run.spec.bad_row_share;
    let examples = task.fewshot_docs.len() + bad_examples.len();
    let examples = Rows { within: examples, bad: bad_examples, share };
    examples.tolerate(&task, " of the examples' split", run.output)?;
    let original = task.docs.len() + bad.len();
    let within = limit.unwrap_or(original).min(original);
    let mut rows = Rows { within, bad: bad.into_iter().filter(|row| row.row <= within).collect(), share };
    let asked = ask(run.spec, model, &task, num_fewshot, &mut rows);
    rows.tolerate(&task, "", run.output)?;
    run.look_for(&task, &asked)?;
    let mut journal = run.open_journal(task.name(), header)?;
    match &run.spec.rescore_from {
        Some(folder) => {
            let (from, to) = ((&task, asked.as_slice()), (&mut journal, &mut rows));
            take_answers(Path::new(folder), header, from, to, run.output)?;
        }
        None => answer(run, model, &task, &asked, &mut journal, &mut rows)?,
    }
    run.close_journal(&journal);
    let summary = conclude(run, &task, &metrics, &pipelines, &asked, &journal, rows)?;
    Ok(TaskSummary { num_fewshot, original, bad_examples: examples.bad, ..summary })
}

/// Says so where another split than `test` is evaluated.
fn tell_split(task: &Task, output: &mut Output) {
    if task.config.test_split.as_ref().is_some_and(|split| *split != task.split) {
        let message =
            format!("{}: split `{}` is evaluated; the dataset has no `test`", task.name(), task.split);
        output.log(Level::Info, message);
    }
}

/// The requests of every row. Rows are taken in order: each draw of examples moves the generator on.
fn ask<'a>(
    spec: &EvaluatorSpec,
    model: &Model,
    task: &'a Task,
    num_fewshot: usize,
    rows: &mut Rows,
) -> Vec<Asked<'a>> {
    let chat: Option<&dyn Chat> = if spec.apply_chat_template {
        model.template.as_ref().map(|template| template as &dyn Chat)
    } else {
        None
    };
    let mut sampling = Sampling::new(task, spec.seed);
    let mut asked = Vec::with_capacity(rows.within);
    for doc in task.docs.iter().take_while(|doc| doc.row <= rows.within) {
        let built = if task.config.output_type == OutputType::ConversationLoss {
            conversation(doc, model.template.as_ref())
        } else {
            sampling
                .examples(doc, num_fewshot)
                .and_then(|examples| context(task, doc, &examples, chat))
                .and_then(|context| requests(task, doc, context, chat.is_some()))
        };
        match built {
            Ok(requests) => {
                let digest = hex(&Sha256::digest(serde_json::to_vec(&requests).unwrap_or_default()));
                asked.push(Asked { doc, requests, digest });
            }
            Err(reason) => rows.bad.push(BadRow { row: doc.row, line: doc.line, reason }),
        }
    }
    asked
}

impl Rows {
    /// A few bad rows are told and left out; more fail the task. `whose` says which rows they are.
    pub(super) fn tolerate(&self, task: &Task, whose: &str, output: &mut Output) -> Result<()> {
        let Some(first) = self.bad.iter().min_by_key(|row| row.row) else { return Ok(()) };
        let (count, within) = (self.bad.len(), self.within);
        if count as f64 > self.share * within as f64 {
            let percent = (self.share * 10_000.0).round() / 100.0;
            let others = match count {
                1 => format!(" (1 of {within} rows{whose}; at most {percent}% may fail)"),
                several => format!(
                    " (the first of {several} bad rows of {within}{whose}; at most {percent}% may fail)"
                ),
            };
            return Err(Error::Row {
                task: task.name().to_owned(),
                row: first.row,
                line: first.line,
                reason: first.reason.clone(),
                others,
            });
        }
        let message = format!(
            "{}: {count} of {within} rows{whose} are left out; the first is row {} (line {}): {}",
            task.name(),
            first.row,
            first.line,
            first.reason
        );
        output.log(Level::Warn, message);
        Ok(())
    }
}
