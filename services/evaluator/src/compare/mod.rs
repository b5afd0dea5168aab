//! Compares two evaluations, sample by sample: what changed, whether it is more than chance, and why the two may differ.
//!
//! It reads two folders that evaluations wrote ([`folder`]), pairs their samples ([`pairs`]), holds the pairs of each
//! metric against each other ([`metric`], with [`mcnemar`] and [`interval`]) and names the settings that differ
//! ([`causes`]). It runs no model and writes no file.

mod causes;
mod comparison;
mod error;
mod folder;
mod interval;
mod mcnemar;
mod metric;
mod pairs;
mod report;

use std::io::Write;
use std::path::Path;

use anneal_contracts::engine::ExitKind;

pub use causes::Cause;
pub use comparison::{Comparison, Side, TaskComparison};
pub use error::Error;
pub use interval::Interval;
pub use metric::{Changed, Flips, MetricComparison, Samples};

/// Compares the evaluations in two folders.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, Error> {
    Comparison::of(&folder::Evaluation::read(a)?, &folder::Evaluation::read(b)?)
}

/// Compares the evaluations in two folders: JSON goes to `json`, words for people to `text`.
pub fn run(a: &Path, b: &Path, json: &mut dyn Write, text: &mut dyn Write) -> ExitKind {
    let written = compare(a, b).and_then(|comparison| {
        let line = serde_json::to_string(&comparison).map_err(|error| Error::Output(error.into()))?;
        writeln!(json, "{line}").and_then(|()| report::write(&comparison, text)).map_err(Error::Output)
    });
    let Err(error) = written else { return ExitKind::Done };
    // Where even this cannot be told, the exit status still is.
    drop(writeln!(text, "{error}"));
    error.exit()
}
