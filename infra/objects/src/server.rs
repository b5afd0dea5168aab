//! HTTP around the storage.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anneal_runtime::{CancellationToken, Secret, tasks};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{ObjectsError, storage::Storage};

/// How long a shutdown waits for requests under way.
const GRACE: Duration = Duration::from_secs(5);

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder that holds everything; made when absent.
    pub root: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
    /// Bucket that is made when absent.
    pub bucket: String,
}

/// A running server; it stops when told to, or when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Option<()>>,
}

impl Server {
    /// Starts serving.
    pub async fn start(options: Options) -> Result<Self, ObjectsError> {
        let unusable = |reason: String| ObjectsError::Root { path: options.root.clone(), reason };
        let storage =
            Storage::open(&options.root, &options.bucket).map_err(|error| unusable(error.to_string()))?;
        let mut builder = S3ServiceBuilder::new(storage);
        builder.set_auth(SimpleAuth::from_single(&options.access_key, options.secret_key.expose()));
        let refused = |source| ObjectsError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let task = tasks::spawn("objects", accept(listener, builder.build(), stop.clone()));
        Ok(Self { address, stop, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as the base of every URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the requests under way and stops.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            tracing::warn!("requests were still under way when the object server stopped");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(300));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Out of file descriptors, most likely: do not spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service.clone()));
        tasks::spawn("objects.connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections were cut at shutdown");
    }
}
