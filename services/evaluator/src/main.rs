//! `anneal-evaluator run SPEC.json` evaluates; `anneal-evaluator serve` is the worker service around it.

// The worker loop's future is laid out here, layer by layer.
#![recursion_limit = "256"]

use std::{path::PathBuf, process::ExitCode};

use anneal_evaluator::{
    engine::{self, Stop},
    service::Evaluation,
};
use anneal_runtime::confine;
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
    match Arguments::parse().command {
        Command::Run { spec } => {
            let stop = Stop::on_signal()?;
            let ending = engine::run(&spec, Box::new(std::io::stdout()), &stop);
            Ok(ExitCode::from(ending.status()))
        }
        Command::Serve { config } => {
            anneal_worker::serve("evaluator", config.as_deref(), Evaluation::new)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
