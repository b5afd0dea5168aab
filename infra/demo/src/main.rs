//! Does the platform's main job through the public HTTP API: import, fine-tune, evaluate, compile, deploy, ask, bill.

mod api;
mod bench_stack;
mod data;
mod job;
mod report;
mod show;
mod stack;

use std::{path::PathBuf, process::ExitCode};

use anneal_runtime::shutdown;
use anyhow::Result;
use clap::{Parser, Subcommand};

/// Does the platform's main job through the public HTTP API.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where the demo keeps its stack, its data and its report.
    #[arg(long, default_value = ".local/demo", global = true)]
    folder: PathBuf,
    /// Where the fetched parts are.
    #[arg(long, default_value = ".local/parts", global = true)]
    parts: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the idle stack, time to the first engine line, API latency and concurrent creation.
    BenchStack,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("no other provider was installed before main");
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\x1b[31mfailed:\x1b[0m {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { command, folder, parts } = arguments;
    // Before anything is started: no moment is left in which a signal would orphan it.
    let interrupted = shutdown::on_signal()?;
    match command {
        Some(Command::BenchStack) => bench_stack::run(&folder, &parts, &interrupted).await,
        None => job::run(&folder, &parts, &interrupted).await,
    }
}
