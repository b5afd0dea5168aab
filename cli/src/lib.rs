//! The `anneal` command: a client of the HTTP API, and `anneal up`, the local stack.
//!
//! It knows the public API and nothing behind it; what the API answers is shown as it is, so that a new field appears
//! without a change here.

mod arguments;
mod client;
mod commands;
mod failure;
mod output;
mod settings;
pub mod stack;

use std::{io, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::{
    arguments::{Arguments, Command},
    client::Api,
    failure::Failure,
    output::Output,
};

/// Runs the command with this process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let output = Output::new(arguments.json);
    match arguments.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "anneal", &mut io::stdout());
            Ok(())
        }
        Command::StackChild(child) => Err(stack::shim(&child).into()),
        Command::Up(options) => on_one_thread(async { Ok(stack::up(options).await?) }),
        Command::Login => settings::login(&arguments.connection, &output),
        command => {
            let connection = settings::resolve(&arguments.connection)?;
            on_one_thread(async { commands::run(command, &Api::new(&connection)?, &output).await })
        }
    }
}

fn on_one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
