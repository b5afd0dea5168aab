//! One file a noun: what may be asked of it, and how the answer is shown.

pub(crate) mod access;
pub(crate) mod billing;
pub(crate) mod chat;
mod comparison;
pub(crate) mod dataset;
pub(crate) mod deployment;
pub(crate) mod events;
mod hub;
pub(crate) mod leaderboard;
pub(crate) mod model;
mod rescore;
pub(crate) mod task;
mod task_follow;
mod task_next;
mod task_results;
pub(crate) mod workspace;

use crate::{arguments::Command, client::Api, failure::Failure, output::Output};

/// Carries out a command of the API.
pub(crate) async fn run(command: Command, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Task(command) => task::run(command, api, output).await,
        Command::Dataset(command) => dataset::run(command, api, output).await,
        Command::Model(command) => model::run(command, api, output).await,
        Command::Deploy(arguments) => deployment::deploy(arguments, api, output).await,
        Command::Deployment(command) => deployment::run(command, api, output).await,
        Command::Chat(arguments) => chat::run(arguments, api, output).await,
        Command::Bill(arguments) => billing::run(arguments, api, output).await,
        Command::Leaderboard(arguments) => leaderboard::run(arguments, api, output).await,
        Command::Events(arguments) => events::run(arguments, api, output).await,
        Command::Workspace(command) => workspace::run(command, api, output).await,
        Command::User(command) => access::user(command, api, output).await,
        Command::Key(command) => access::key(command, api, output).await,
        Command::Up(_) | Command::Login | Command::Completions { .. } | Command::StackChild(_) => {
            Err(Failure::Failed("this command needs no server".to_owned()))
        }
    }
}

/// What narrows a list.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Page {
    /// At most this many rows (1 to 100).
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the page before ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// As query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        query
    }
}
