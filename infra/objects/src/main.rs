//! `anneal-objects`: the embedded S3 server as a process.

use std::{net::SocketAddr, path::PathBuf};

use anneal_objects::{Options, Server};
use anneal_runtime::{block_on, shutdown, telemetry};
use clap::Parser;

/// Serves a folder over the S3 protocol.
#[derive(Debug, Parser)]
#[command(name = "anneal-objects", version)]
struct Arguments {
    /// Folder that holds everything; made when absent.
    #[arg(long)]
    root: PathBuf,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8014")]
    listen: SocketAddr,
    /// The one access key.
    #[arg(long, env = "ANNEAL_OBJECTS_ACCESS_KEY")]
    access_key: String,
    /// Its secret; better given by the environment than on the command line.
    #[arg(long, env = "ANNEAL_OBJECTS_SECRET_KEY", hide_env_values = true)]
    secret_key: String,
    /// Bucket that is made when absent.
    #[arg(long, default_value = "anneal")]
    bucket: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    telemetry::init(&telemetry::Logging::default())?;
    block_on(serve(arguments))?
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let server = Server::start(Options {
        root: arguments.root,
        listen: arguments.listen,
        access_key: arguments.access_key,
        secret_key: arguments.secret_key.into(),
        bucket: arguments.bucket,
    })
    .await?;
    tracing::info!(address = %server.address(), "the object server is ready");
    stop.cancelled().await;
    server.stop().await;
    Ok(())
}
