//! `anneal-inference`: `run` serves one compiled folder by itself; `serve` is the service of the platform.

use std::{io::Write, net::TcpListener, path::PathBuf};

use anneal_inference::{Deployments, Settings, server};
use anneal_runtime::clock::SystemClock;
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Serves compiled models: OpenAI-compatible chat and completions")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one compiled folder
    Run {
        /// The compiled folder
        #[arg(long)]
        folder: PathBuf,
        /// The name that requests give
        #[arg(long)]
        name: String,
        /// Address to listen on; port 0 takes a free one, which is printed
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        /// Threads of the model; 0 takes all
        #[arg(long, default_value_t = 0)]
        threads: usize,
        /// libonnxruntime.so; found in the parts folder when left out
        #[arg(long, env = "ANNEAL_ONNXRUNTIME")]
        onnxruntime: Option<PathBuf>,
    },
    /// Serve the platform's deployments
    Serve,
}

fn main() -> anyhow::Result<()> {
    let Command::Run { folder, name, listen, threads, onnxruntime } = Arguments::parse().command else {
        bail!("`serve` is not supported yet: use `run --folder PATH --name NAME`");
    };
    let deployments = Deployments::new(Settings { onnxruntime, threads, ..Settings::default() }, SystemClock::shared());
    deployments.load(&name, &folder)?;
    let listener = TcpListener::bind(&listen).with_context(|| format!("cannot listen on {listen}"))?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    anneal_runtime::block_on(async { server::serve(listener, deployments)?.await })??;
    Ok(())
}
