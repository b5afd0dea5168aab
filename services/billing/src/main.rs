//! The billing service: `anneal-billing serve [--config FILE]`.

use std::path::PathBuf;

use anneal_billing::Config;
use anneal_runtime::{block_on, config, shutdown, telemetry};
use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let file = arguments()?;
    let config: Config = config::load("billing", file.as_deref())?;
    telemetry::init(&config.log)?;
    block_on(async move {
        let shutdown = shutdown::on_signal()?;
        anneal_billing::serve(config, shutdown).await
    })?
}

fn arguments() -> anyhow::Result<Option<PathBuf>> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|verb| verb != "serve") {
        bail!("usage: anneal-billing serve [--config FILE]");
    }
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(None),
        (Some(flag), Some(file), None) if flag == "--config" => Ok(Some(file.into())),
        _ => bail!("usage: anneal-billing serve [--config FILE]"),
    }
}
