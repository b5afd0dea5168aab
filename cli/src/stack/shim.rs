//! The step between `anneal up` and a child: the child is killed when `anneal up` ends, however it ends.
//!
//! This program starts itself again in this role, asks the kernel for a signal at its parent's death, and becomes the
//! child. The wish survives the exec.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use clap::Args;
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};

/// What to become, and whose child to be.
#[derive(Clone, Debug, Args)]
pub struct ShimArguments {
    /// Process id of the `anneal up` that started us.
    #[arg(long)]
    parent: i32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the program; returns only when that fails.
pub fn shim(arguments: &ShimArguments) -> io::Error {
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        return error.into();
    }
    // The parent may have died before the wish was heard.
    if getppid().as_raw() != arguments.parent {
        return io::Error::other("`anneal up` has gone");
    }
    match arguments.command.split_first() {
        Some((program, rest)) => Command::new(program).args(rest).exec(),
        None => io::Error::other("no program to become"),
    }
}
