//! `anneal-trainer run SPEC.json` trains; `anneal-trainer serve` is the worker service around it.

// The worker loop's future is laid out here, layer by layer.
#![recursion_limit = "256"]

use std::{path::PathBuf, process::ExitCode};

use anneal_runtime::{confine, memory};
use anneal_trainer::{
    engine::{self, Stop},
    service::Training,
};
use clap::{Parser, Subcommand};

/// Trains language models.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one training described by a spec file; JSON lines go to standard output.
    Run {
        /// The spec file.
        spec: PathBuf,
    },
    /// Claims training tasks and runs them.
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
            memory::keep_freed_memory();
            let stop = Stop::on_signal()?;
            let ending = engine::run(&spec, Box::new(std::io::stdout()), &stop);
            Ok(ExitCode::from(ending.status()))
        }
        Command::Serve { config } => {
            anneal_worker::serve("trainer", config.as_deref(), Training::new)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
