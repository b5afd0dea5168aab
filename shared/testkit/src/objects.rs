//! A real S3 server in this process, over a temporary folder.

use std::{net::SocketAddr, path::Path};

use anneal_objects::{Options, Server};
use anneal_runtime::Secret;
use tempfile::TempDir;

/// A running S3 server with an empty bucket; it and its folder go when dropped.
#[derive(Debug)]
pub struct Objects {
    server: Server,
    folder: TempDir,
}

impl Objects {
    /// Its access key.
    pub const ACCESS_KEY: &'static str = "test-access-key";
    /// Its secret.
    pub const SECRET_KEY: &'static str = "test-secret-key";
    /// Its bucket.
    pub const BUCKET: &'static str = "anneal";

    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let server = Server::start(Options {
            root: folder.path().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access_key: Self::ACCESS_KEY.to_owned(),
            secret_key: Secret::new(Self::SECRET_KEY),
            bucket: Self::BUCKET.to_owned(),
        })
        .await
        .expect("the embedded S3 server starts on a free port");
        Self { server, folder }
    }

    /// Base URL.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where it stores.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}
