//! Why the stack does not come up.

use std::{io, path::PathBuf};

/// Why the stack does not come up, or did not stay up.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A program is not where it should be.
    #[error(
        "{0} is missing: build the workspace (`cargo xtask up` does) and fetch the parts (`cargo xtask fetch`)"
    )]
    Missing(PathBuf),
    /// Another stack uses this folder.
    #[error("another `anneal up` uses {0}: stop it, or give another `--data`")]
    Busy(PathBuf),
    /// The address that was asked for is taken.
    #[error("{0} is taken: stop what listens there, or give another `--listen`")]
    PortTaken(std::net::SocketAddr),
    /// A child ended before it was ready.
    #[error("{name} ended before it was ready ({status}); the end of its log:\n{log}")]
    Ended {
        /// Which child.
        name: &'static str,
        /// How it ended.
        status: String,
        /// The last lines it wrote.
        log: String,
    },
    /// A child did not become ready.
    #[error("{name} was not ready in time; the end of its log:\n{log}")]
    NotReady {
        /// Which child.
        name: &'static str,
        /// The last lines it wrote.
        log: String,
    },
    /// A stored secret cannot be read.
    #[error("{0} cannot be read as secrets: remove it to have new ones made")]
    Secrets(PathBuf),
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system refused something without a file's name to tell.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl StackError {
    /// Names what was being done when the system refused.
    pub(crate) fn io(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| Self::Io { what, source }
    }
}
