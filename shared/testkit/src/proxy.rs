//! A TCP proxy that misbehaves on request.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anneal_runtime::{CancellationToken, tasks};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How the proxy treats the bytes of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes them on.
    Pass,
    /// Cuts every connection, and new ones at once.
    Drop,
    /// Passes each piece on after this long.
    Delay(Duration),
    /// Keeps connections open and swallows everything, both ways.
    HalfOpen,
    /// Passes this many bytes towards the client over all connections, then cuts.
    CutAfter(u64),
}

/// A proxy before one server, on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    returned_bytes: AtomicU64,
}

impl Proxy {
    /// Starts one before `target`.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared =
            Arc::new(Shared { mode: watch::Sender::new(Mode::Pass), returned_bytes: AtomicU64::new(0) });
        let stop = CancellationToken::new();
        let (inner, ended) = (shared.clone(), stop.clone());
        tasks::spawn("proxy", async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = ended.cancelled() => return,
                };
                let Ok((client, _)) = accepted else { continue };
                let (shared, ended) = (inner.clone(), ended.clone());
                tasks::spawn("proxy.connection", async move {
                    tokio::select! {
                        () = connection(client, target, shared) => {}
                        () = ended.cancelled() => {}
                    }
                });
            }
        });
        Self { address, shared, stop }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the treatment of all connections, old and new.
    pub fn set(&self, mode: Mode) {
        self.shared.returned_bytes.store(0, Ordering::SeqCst);
        self.shared.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn connection(client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    if *shared.mode.borrow() == Mode::Drop {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Either direction's end cuts both.
    tokio::select! {
        () = pump(from_client, to_server, &shared, false) => {}
        () = pump(from_server, to_client, &shared, true) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    shared: &Shared,
    counted: bool,
) {
    let mut changes = shared.mode.subscribe();
    let mut buffer = vec![0_u8; 16 * 1024];
    loop {
        let mode = *changes.borrow_and_update();
        if mode == Mode::Drop {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = changes.changed() => continue,
        };
        let Ok(count @ 1..) = read else { return };
        let mut keep = count;
        match mode {
            Mode::HalfOpen => continue,
            Mode::Delay(delay) => tokio::time::sleep(delay).await,
            Mode::CutAfter(limit) if counted => {
                let before = shared.returned_bytes.fetch_add(count as u64, Ordering::SeqCst);
                keep = usize::try_from(limit.saturating_sub(before)).map_or(count, |left| left.min(count));
            }
            _ => {}
        }
        if to.write_all(&buffer[..keep]).await.is_err() || keep < count {
            return;
        }
    }
}
