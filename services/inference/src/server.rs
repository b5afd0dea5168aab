//! The HTTP server over a registry.

use std::{io, net::TcpListener};

use actix_web::{App, HttpServer, dev::Server};

use crate::{deployments::Deployments, routes};

/// Threads that wait for clients; the models' own threads compute.
const WORKERS: usize = 1;
/// Seconds that running answers get when the service ends.
const SHUTDOWN_SECONDS: u64 = 10;

/// Serves `deployments` on `listener`; the future ends on SIGTERM or SIGINT, after running answers.
pub fn serve(listener: TcpListener, deployments: Deployments) -> io::Result<Server> {
    let server = HttpServer::new(move || App::new().configure(routes::configure(deployments.clone())))
        .workers(WORKERS)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)?
        .run();
    Ok(server)
}
