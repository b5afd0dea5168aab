//! `anneal-compiler`: `run SPEC.json` is the engine alone, `serve` the worker service around it.

// The worker loop's future is laid out here, layer by layer.
#![recursion_limit = "256"]

use std::{path::PathBuf, process::ExitCode};

use anneal_compiler::{
    engine::{Reporter, run_spec, stop_flag},
    service::Compilation,
};
use anneal_runtime::confine;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Quantises a model, writes it as ONNX and holds it against its source")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one compilation described by a spec file; JSON lines on standard output
    Run {
        /// The spec file
        spec: PathBuf,
        /// libonnxruntime.so; found in the parts folder when left out
        #[arg(long, env = "ANNEAL_ONNXRUNTIME")]
        onnxruntime: Option<PathBuf>,
    },
    /// Claims compilation tasks and runs them
    Serve {
        /// A TOML file of settings
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    // An engine child gives up what it does not need before it reads anything.
    confine::from_environment()?;
    match Arguments::parse().command {
        Command::Run { spec, onnxruntime } => {
            let mut reporter = Reporter::stdout(stop_flag()?);
            Ok(ExitCode::from(run_spec(&spec, onnxruntime.as_deref(), &mut reporter).status()))
        }
        Command::Serve { config } => {
            anneal_worker::serve("compiler", config.as_deref(), Compilation::new)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
