//! What `anneal up` may be told.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

/// What `anneal up` may be told.
#[derive(Clone, Debug, Args)]
pub struct UpOptions {
    /// Folder for everything the stack stores.
    #[arg(long, default_value = ".local/stack")]
    pub data: PathBuf,
    /// Folder of the third-party parts (nats-server, ONNX Runtime).
    #[arg(long, env = "ANNEAL_PARTS", default_value = ".local/parts")]
    pub parts: PathBuf,
    /// Where the HTTP API listens; when absent port 7480, or a free one when that is taken.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// When the broker syncs to disk: `always` loses nothing at a power cut, `2m` is faster.
    #[arg(long, default_value = "always")]
    pub sync_interval: String,
    /// Folder of the built web console; `services/console/dist` when it is there.
    #[arg(long)]
    pub console: Option<PathBuf>,
    /// CPU threads of an engine; 0 takes all.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Leave a service out, such as `inference`; may be given again.
    #[arg(long, value_name = "SERVICE")]
    pub without: Vec<String>,
    /// Written when everything is ready: JSON with `url`, `key` and `pids`.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
}
