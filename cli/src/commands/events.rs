//! Events of the workspace, as they happen.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::{client::Api, failure::Failure, output::Output};

/// From where on.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// After this event; from now on when absent.
    #[arg(long)]
    after: Option<u64>,
}

pub(crate) async fn run(arguments: EventsArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let mut request = api.request(Method::GET, "events");
    if let Some(after) = arguments.after {
        request = request.header("Last-Event-ID", after.to_string());
    }
    let mut events = api.events(request).await?;
    while let Some(data) = events.next().await? {
        if output.is_json() {
            output.text(&format!("{data}\n"))?;
            continue;
        }
        let event: Value = serde_json::from_str(&data).unwrap_or_default();
        let text = |key: &str| event[key].as_str().unwrap_or("–").to_owned();
        output.text(&format!(
            "{:>8} {} {} {}\n",
            event["id"].to_string(),
            text("time"),
            text("type"),
            text("task")
        ))?;
    }
    Ok(())
}
