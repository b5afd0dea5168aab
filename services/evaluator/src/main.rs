//! `anneal-evaluator run SPEC.json` evaluates; `compare A B` holds two evaluations against each other;
//! `anneal-evaluator serve` is the worker service around it.

// The worker loop's future is laid out here, layer by layer.
#![recursion_limit = "256"]

use std::{io, path::PathBuf, process::ExitCode};

use anneal_contracts::engine::ExitKind;
use anneal_evaluator::{
    compare,
    engine::{self, Stop},
    service::Evaluation,
};
use anneal_runtime::{confine, memory};
use clap::{Parser, Subcommand};

/// Scores language models.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one evaluation described by a spec file; JSON lines go to standard output.
    Run {
        /// The spec file.
        spec: PathBuf,
    },
    /// Compares two evaluations sample by sample; JSON goes to standard output, words to standard error.
    Compare {
        /// The output folder of the first evaluation.
        a: PathBuf,
        /// The output folder of the second.
        b: PathBuf,
    },
    /// Claims evaluation tasks and runs them.
    Serve {
        /// A TOML file of settings.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    // An engine child gives up what it does not need before it reads anything.
    confine::from_environment()?;
    let ending = match Arguments::parse().command {
        Command::Run { spec } => {
            memory::keep_freed_memory();
            engine::run(&spec, Box::new(io::stdout()), &Stop::on_signal()?)
        }
        Command::Compare { a, b } => compare::run(&a, &b, &mut io::stdout(), &mut io::stderr()),
        Command::Serve { config } => {
            anneal_worker::serve("evaluator", config.as_deref(), Evaluation::new)?;
            ExitKind::Done
        }
    };
    Ok(ExitCode::from(ending.status()))
}
