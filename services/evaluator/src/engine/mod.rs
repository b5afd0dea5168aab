//! The evaluation engine: a spec file in; results, samples and JSON lines out.
//!
//! A spec's tasks ([`tasks`]) become requests ([`prompts`]), a model answers them ([`backend`]), the answers are kept in
//! a journal and written as samples and results ([`results`]) after they are scored ([`scoring`]). Semantics follow
//! lm-evaluation-harness 0.4.13, to the sample; [`python`] has the pieces of Python that this takes. The engine knows
//! no NATS, no S3, no database.

mod answer;
pub mod backend;
mod chat;
mod checkpoint;
mod conclude;
mod error;
mod evaluate;
mod evaluation;
mod figures;
mod leaks;
mod output;
mod progress;
pub mod prompts;
pub mod python;
mod rescore;
pub mod results;
mod run;
pub mod scoring;
mod stop;
pub mod tasks;

use std::io::Write;
use std::path::Path;

use anneal_contracts::engine::{EvaluatorSpec, ExitKind};

pub use error::{Error, Result};
pub use evaluation::run_spec;
pub use output::Output;
pub use stop::Stop;

/// Runs the evaluation that a spec file describes; lines go to `writer`.
pub fn run(spec: &Path, writer: Box<dyn Write + Send>, stop: &Stop) -> ExitKind {
    let mut output = Output::new(writer);
    match read_spec(spec).and_then(|spec| run_spec(&spec, &mut output, stop)) {
        Ok(()) => ExitKind::Done,
        Err(error) => {
            output.line(&error.line());
            error.exit()
        }
    }
}

fn read_spec(path: &Path) -> Result<EvaluatorSpec> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::spec("spec", format!("{}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| Error::spec("spec", format!("{}: {error}", path.display())))
}
