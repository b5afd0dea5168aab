//! Answers of an earlier evaluation, scored again: they are read from its journals, and nothing is asked of the model.

use std::path::Path;

use anneal_contracts::engine::Level;
use serde_json::{Map, Value};

use super::checkpoint::journal_name;
use super::error::{Error, Result};
use super::evaluate::{Asked, Rows};
use super::output::Output;
use super::results::{Answers, Journal};
use super::tasks::{BadRow, Task};

/// Puts the earlier answers of a task's rows into its journal. A row that was asked otherwise ends the evaluation; one that
/// was not answered is bad.
pub(super) fn take_answers(
    folder: &Path,
    header: &Map<String, Value>,
    (task, asked): (&Task, &[Asked<'_>]),
    (journal, rows): (&mut Journal, &mut Rows),
    output: &mut Output,
) -> Result<()> {
    let path = folder.join(journal_name(task.name()));
    let refused = |message: String| Error::Rescore { path: path.clone(), message };
    if !path.is_file() {
        let message = format!("the earlier evaluation left no answers of task {}", task.name());
        return Err(refused(message));
    }
    let earlier = Answers::read(&path, header).map_err(|error| match error {
        Error::OtherEvaluation { differences, .. } => refused(format!("other answers: {differences}")),
        other => other,
    })?;
    let mut taken = Vec::new();
    for Asked { doc, digest, .. } in asked {
        if journal.answers(doc.id(), digest).is_some() {
            continue;
        }
        match earlier.of(doc.id()) {
            Some(answered) if answered.requests == *digest => taken.push(answered.clone()),
            Some(_) => {
                return Err(refused(format!(
                    "task {}, row {} (line {}) would be asked otherwise than it was: its prompt, its choices or its stop \
                     rules differ. Only filters and metrics may change; evaluate anew for anything else",
                    task.name(),
                    doc.row,
                    doc.line
                )));
            }
            None => {
                let reason = "the earlier evaluation did not answer it".to_owned();
                rows.bad.push(BadRow { row: doc.row, line: doc.line, reason });
            }
        }
    }
    rows.tolerate(task, "", output)?;
    journal.append(taken)?;
    let (count, of) = (journal.len() as u64, asked.len() as u64);
    output.log(Level::Info, format!("{}: {count} answers of an earlier evaluation are scored", task.name()));
    output.progress(count, of, "samples", None);
    Ok(())
}
