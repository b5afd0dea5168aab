//! The `anneal` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    anneal_cli::main()
}
