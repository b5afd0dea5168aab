//! Workspaces.

use anneal_domain::id::WorkspaceId;
use clap::Subcommand;
use serde_json::json;

use super::Page;
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Show the workspace that the key belongs to, and the key's role.
    Show,
    /// List workspaces: all of them for admins of the first workspace, for others their own.
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Make a workspace; its first admin's key is shown once. Only admins of the first workspace may.
    Create {
        /// Its name.
        name: String,
    },
    /// Give a workspace another name.
    Rename {
        /// The workspace.
        workspace: WorkspaceId,
        /// Its new name.
        name: String,
    },
    /// Delete a workspace that holds nothing but its users and keys. Only admins of the first workspace may.
    Delete {
        /// The workspace.
        workspace: WorkspaceId,
    },
}

pub(crate) async fn run(command: WorkspaceCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        WorkspaceCommand::Show => output.show(&api.get("workspace", &[]).await?),
        WorkspaceCommand::Create { name } => {
            output.show(&api.post("workspaces", &json!({ "name": name })).await?)
        }
        WorkspaceCommand::List { page } => {
            output.list(&api.get("workspaces", &page.query()).await?, &["id", "name", "created_at"])
        }
        WorkspaceCommand::Rename { workspace, name } => {
            output.show(&api.patch(&format!("workspaces/{workspace}"), &json!({ "name": name })).await?)
        }
        WorkspaceCommand::Delete { workspace } => {
            api.delete(&format!("workspaces/{workspace}")).await?;
            output.done(&format!("deleted {workspace}"))
        }
    }
}
