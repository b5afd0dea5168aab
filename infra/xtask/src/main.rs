//! The project's own commands, run as `cargo xtask <command>`.

mod bench;
mod cargo;
mod checks;
mod child;
mod cuda;
mod fuzz;
mod parts;
mod stack;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch the pinned, hash-checked parts into .local/parts.
    Fetch,
    /// Fetch, build in release, start the local stack and stay.
    Up {
        /// Arguments passed on to `anneal up`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Fetch, build, start, and do the main job through the public API.
    Demo {
        /// Where the demo keeps its stack, its data and its report, below the root of the checkout.
        #[arg(long, default_value = ".local/demo")]
        folder: PathBuf,
    },
    /// Everything the tests need, then every test.
    Test,
    /// The kernels' tests under the address sanitizer.
    Sanitize,
    /// Fetch a CUDA toolkit and build the engines that can use a CUDA device, into a target folder of their own.
    Cuda,
    /// Look for a file that a parser does not survive, guided by the code that is reached.
    Fuzz {
        /// The kind of file.
        kind: fuzz::Kind,
        /// How long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Measure: ours, and beside a peer where there is one.
    Bench {
        /// What to measure.
        what: bench::What,
        /// Arguments passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// A child of this program.
    #[command(hide = true)]
    Child(child::ChildArguments),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Fetch => parts::fetch(),
        Command::Up { rest } => stack::up(&rest),
        Command::Demo { folder } => stack::demo(&folder),
        Command::Test => checks::run(),
        Command::Fuzz { kind, seconds } => fuzz::fuzz(kind, seconds),
        Command::Cuda => cuda::build(),
        Command::Sanitize => checks::sanitize(),
        Command::Bench { what, rest } => bench::measure(what, &rest),
        Command::Child(arguments) => child::become_child(&arguments),
    }
}
