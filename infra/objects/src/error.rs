//! What can keep the server from running.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The folder cannot be made or used.
    #[error("the folder {path} cannot be used: {reason}")]
    Root {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}
