//! Children that end with us: a signal to this process alone leaves no build and no download behind.
//!
//! As in `anneal up`: this program starts itself again in a role that asks the kernel for a signal at its parent's death,
//! and becomes the child. The wish survives the exec.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};

/// This very program, by the kernel's handle and not by its path: a build that it starts may replace its file.
const OURSELVES: &str = "/proc/self/exe";

/// What to become, and whose child to be.
#[derive(Args)]
pub(crate) struct ChildArguments {
    /// Process id of the one that started us.
    #[arg(long)]
    parent: i32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// The same command, ended by SIGTERM when we end. Call and run it on the main thread: the kernel watches the thread.
pub(crate) fn tied(command: &Command) -> Command {
    let mut tied = Command::new(OURSELVES);
    tied.args(["child", "--parent", &std::process::id().to_string(), "--"]);
    tied.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

/// Becomes the program; returns only when that fails.
pub(crate) fn become_child(arguments: &ChildArguments) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    // The parent may have died before the wish was heard.
    if getppid().as_raw() != arguments.parent {
        bail!("the one that started this has gone");
    }
    let (program, rest) = arguments.command.split_first().context("no program to become")?;
    let error = Command::new(program).args(rest).exec();
    Err(anyhow!("{} does not start: {error}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tied_command_keeps_its_program_arguments_and_folder() {
        let mut command = Command::new("cargo");
        command.args(["build", "--release"]).current_dir("/tmp");
        let tied = tied(&command);
        assert!(std::path::Path::new(tied.get_program()).exists());
        let arguments: Vec<_> = tied.get_args().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(arguments[..2], ["child", "--parent"]);
        assert_eq!(arguments[3..], ["--", "cargo", "build", "--release"]);
        assert_eq!(tied.get_current_dir(), command.get_current_dir());
    }
}
