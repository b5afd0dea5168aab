//! Compares two evaluations that lie in folders: JSON for programs, words for people.
//!
//! What a comparison is, and how it is computed, is `anneal-comparison`'s matter.

mod report;

use std::io::{self, Write};
use std::path::Path;

use anneal_comparison::{Comparison, Error, Evaluation};
use anneal_contracts::engine::ExitKind;
use serde::Serialize;
use serde_json::Value;

/// The comparison of two evaluations in folders.
#[derive(Debug, Serialize)]
struct Report {
    /// The first evaluation.
    a: Side,
    /// The second.
    b: Side,
    #[serde(flatten)]
    comparison: Comparison,
}

/// One of the two evaluations.
#[derive(Debug, Serialize)]
struct Side {
    /// Its folder.
    folder: String,
    /// The model as its spec named it.
    model: Value,
    /// When it ran, in seconds of Unix time.
    date: Value,
}

/// Compares the evaluations in two folders: JSON goes to `json`, words for people to `text`.
pub fn run(a: &Path, b: &Path, json: &mut dyn Write, text: &mut dyn Write) -> ExitKind {
    let (message, ending) = match compare(a, b) {
        Err(error) => (error.to_string(), ExitKind::BadInput),
        Ok(compared) => match write(&compared, json, text) {
            Err(error) => (format!("the comparison cannot be written: {error}"), ExitKind::Failed),
            Ok(()) => return ExitKind::Done,
        },
    };
    // Where even this cannot be told, the exit status still is.
    drop(writeln!(text, "{message}"));
    ending
}

fn compare(a: &Path, b: &Path) -> Result<Report, Error> {
    let (first, second) = (Evaluation::read(a)?, Evaluation::read(b)?);
    let comparison = anneal_comparison::compare(&first, &second)?;
    Ok(Report { a: Side::of(a, &first), b: Side::of(b, &second), comparison })
}

fn write(compared: &Report, json: &mut dyn Write, text: &mut dyn Write) -> io::Result<()> {
    writeln!(json, "{}", serde_json::to_string(compared)?)?;
    report::write(compared, text)
}

impl Side {
    fn of(folder: &Path, evaluation: &Evaluation) -> Self {
        let results = evaluation.results();
        Self {
            folder: folder.display().to_string(),
            model: results["model_name"].clone(),
            date: results["date"].clone(),
        }
    }
}
