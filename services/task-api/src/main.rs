//! `anneal-task-api serve --config PATH`: the API of the platform.

use std::path::PathBuf;

use anneal_runtime::{config, shutdown, telemetry};
use anneal_task_api::{Config, start};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let file = arguments(std::env::args().skip(1))?;
    let settings: Config = config::load("task-api", file.as_deref())?;
    telemetry::init(&settings.log)?;
    anneal_runtime::block_on(async move {
        let shutdown = shutdown::on_signal()?;
        start(settings, shutdown).await?.wait().await
    })?
}

/// `serve [--config PATH]`.
fn arguments(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<PathBuf>> {
    if arguments.next().as_deref() != Some("serve") {
        bail!("usage: anneal-task-api serve [--config PATH]");
    }
    let mut file = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--config" => file = Some(arguments.next().context("--config needs a path")?.into()),
            other => bail!("unknown argument `{other}`: usage: anneal-task-api serve [--config PATH]"),
        }
    }
    Ok(file)
}
