//! Deployments.

use std::time::Duration;

use anneal_domain::id::{DeploymentId, ModelId};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Page;
use crate::{client::Api, failure::Failure, output::Output};

/// Which model to serve, and under what name.
#[derive(Debug, Args)]
pub(crate) struct DeployArguments {
    /// A compiled model.
    model: ModelId,
    /// The name that requests use.
    #[arg(long)]
    name: String,
    /// Come back at once instead of when it serves.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentCommand {
    /// List deployments.
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Show a deployment.
    Show {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// Stop serving it.
    Delete {
        /// The deployment.
        deployment: DeploymentId,
    },
}

pub(crate) async fn deploy(arguments: DeployArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let body = json!({ "name": arguments.name, "model": arguments.model });
    let mut deployment = api.post("deployments", &body).await?;
    let id = deployment["id"].as_str().and_then(|id| id.parse::<DeploymentId>().ok());
    let id = id.ok_or_else(|| Failure::Failed("the server gave the deployment no id".to_owned()))?;
    while !arguments.no_wait && deployment["state"] == "starting" {
        tokio::time::sleep(Duration::from_millis(300)).await;
        deployment = api.get(&format!("deployments/{id}"), &[]).await?;
    }
    output.show(&deployment)?;
    if deployment["state"] == "failed" {
        let why = deployment["failure"].as_str().unwrap_or("it failed");
        return Err(Failure::Failed(format!("the deployment does not serve: {why}")));
    }
    Ok(())
}

pub(crate) async fn run(command: DeploymentCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        DeploymentCommand::List { page } => output.list(
            &api.get("deployments", &page.query()).await?,
            &["id", "name", "model", "state", "failure", "created_at"],
        ),
        DeploymentCommand::Show { deployment } => {
            output.show(&api.get(&format!("deployments/{deployment}"), &[]).await?)
        }
        DeploymentCommand::Delete { deployment } => {
            api.delete(&format!("deployments/{deployment}")).await?;
            output.done(&format!("deleted {deployment}"))
        }
    }
}
