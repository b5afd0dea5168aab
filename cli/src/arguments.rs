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
        leaderboard::LeaderboardArguments,
        model::ModelCommand,
        task::TaskCommand,
        workspace::WorkspaceCommand,
    },
    stack::{ShimArguments, UpOptions},
};

/// Fine-tune, evaluate, compile and serve language models.
#[derive(Debug, Parser)]
#[command(name = "anneal", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Print what the API answers, as JSON; a failure is JSON on standard error.
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
    /// Which model is best at a benchmark.
    Leaderboard(LeaderboardArguments),
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
    /// Workspaces.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
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

    /// Every command that does something, as it is typed.
    fn typed(command: &clap::Command, so_far: &str, all: &mut Vec<String>) {
        let visible: Vec<_> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
        if visible.is_empty() {
            all.push(so_far.to_owned());
        }
        for sub in visible {
            typed(sub, &format!("{so_far} {}", sub.get_name()), all);
        }
    }

    #[test]
    fn the_reference_has_every_command() {
        let reference = include_str!("../../docs/cli.md");
        let mut commands = Vec::new();
        typed(&Arguments::command(), "anneal", &mut commands);
        let is_there = |command: &&String| {
            let start = format!("`{command}");
            reference
                .match_indices(&start)
                .any(|(at, _)| reference[at + start.len()..].starts_with([' ', '`']))
        };
        let missing: Vec<_> = commands.iter().filter(|command| !is_there(command)).collect();
        assert!(missing.is_empty(), "docs/cli.md lacks {missing:?}");
    }

    #[test]
    fn an_import_is_from_here_or_from_the_hub() {
        let is_sound = |typed: &str| Arguments::try_parse_from(typed.split(' ')).is_ok();
        assert!(is_sound("anneal model import folder --name mine"));
        assert!(is_sound("anneal model import --hub a/b --file x.gguf --revision v1"));
        assert!(is_sound("anneal dataset import --hub a/b --config main --split test --kind evaluation"));
        for wrong in [
            "model import",
            "model import folder --hub a/b",
            "model import folder --file x",
            "dataset import",
        ] {
            assert!(!is_sound(&format!("anneal {wrong}")), "{wrong}");
        }
    }

    #[test]
    fn ids_are_checked_before_anything_is_sent() {
        let parsed = Arguments::try_parse_from(["anneal", "task", "show", "../../users"]);
        assert_eq!(parsed.map(|_| ()).map_err(|error| error.exit_code()), Err(2));
    }
}
