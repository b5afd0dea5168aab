//! What the command line may say.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    commands::{
        access::{KeyCommand, UserCommand},
        billing::BillArguments,
        chat::ChatArguments,
        dataset::DatasetCommand,
        deployment::{DeployArguments, DeploymentCommand},
        model::ModelCommand,
        task::TaskCommand,
    },
    stack::{ShimArguments, UpOptions},
};

/// Fine-tune, evaluate, compile and serve language models.
#[derive(Debug, Parser)]
#[command(name = "anneal", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print what the API answers, as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server, as whom. Without them: `~/.config/anneal/config.toml`, then the local stack.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Connection {
    /// Base URL of the server.
    #[arg(long, global = true, env = "ANNEAL_SERVER")]
    pub(crate) server: Option<String>,
    /// API key.
    #[arg(long, global = true, env = "ANNEAL_API_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the whole platform on this machine and stay.
    Up(UpOptions),
    /// Remember `--server` and `--key` in the configuration file.
    Login,
    /// Training, evaluation and compilation tasks.
    #[command(subcommand)]
    Task(TaskCommand),
    /// Datasets.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Models.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Serve a compiled model.
    Deploy(DeployArguments),
    /// Deployments.
    #[command(subcommand)]
    Deployment(DeploymentCommand),
    /// Talk to a deployment.
    Chat(ChatArguments),
    /// What things cost: a task's bill, balance, ledger, prices, audit.
    Bill(BillArguments),
    /// Events of the workspace, as they happen.
    Events(crate::commands::events::EventsArguments),
    /// People.
    #[command(subcommand)]
    User(UserCommand),
    /// API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// A child of `anneal up`.
    #[command(hide = true)]
    StackChild(ShimArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn ids_are_checked_before_anything_is_sent() {
        let parsed = Arguments::try_parse_from(["anneal", "task", "show", "../../users"]);
        assert_eq!(parsed.map(|_| ()).map_err(|error| error.exit_code()), Err(2));
    }
}
