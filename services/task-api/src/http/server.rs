//! The HTTP server: few threads, and limits on everything a stranger can send.

use std::time::Duration;

use actix_web::{App as Actix, HttpServer, dev::ServerHandle, middleware::from_fn, web};

use super::openai;
use crate::{App, routes};

/// Binds and starts to answer; the handle stops it, the future ends when it has.
pub(crate) fn serve(
    app: App,
) -> std::io::Result<(ServerHandle, std::net::SocketAddr, impl Future<Output = std::io::Result<()>>)> {
    let (listen, workers) = (app.config.listen.clone(), app.config.workers.max(1));
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(data.clone())
            .wrap(from_fn(openai::reshape))
            .configure(routes::configure)
            .default_service(web::to(routes::anything_else))
    })
    .workers(workers)
    .max_connections(8192)
    .backlog(1024)
    .keep_alive(Duration::from_secs(30))
    .client_request_timeout(Duration::from_secs(10))
    .client_disconnect_timeout(Duration::from_secs(3))
    .shutdown_timeout(5)
    .disable_signals()
    .bind(&listen)?;
    let address =
        server.addrs().first().copied().ok_or_else(|| std::io::Error::other("no address was bound"))?;
    let server = server.run();
    Ok((server.handle(), address, server))
}
