//! `anneal-inference`: `run` serves one compiled folder by itself; `serve` is the service of the platform.

use std::{io::Write, net::TcpListener, path::PathBuf};

use anneal_inference::{Config, Deployments, Settings, server};
use anneal_runtime::{block_on, clock::SystemClock, config, shutdown, telemetry};
use anyhow::Context;
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
    Serve {
        /// A TOML file of settings
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve { config } => {
            let config: Config = config::load("inference", config.as_deref())?;
            telemetry::init(&config.log)?;
            block_on(async move { anneal_inference::serve(config, shutdown::on_signal()?).await })?
        }
        Command::Run { folder, name, listen, threads, onnxruntime } => {
            let settings = Settings { onnxruntime, threads, ..Settings::default() };
            let deployments = Deployments::new(settings, SystemClock::shared());
            deployments.load(&name, &folder)?;
            let listener =
                TcpListener::bind(&listen).with_context(|| format!("cannot listen on {listen}"))?;
            writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
            block_on(async { server::serve(listener, deployments)?.await })??;
            Ok(())
        }
    }
}
