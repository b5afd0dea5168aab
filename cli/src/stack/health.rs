//! How to tell that a child is ready.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

const WAIT: Duration = Duration::from_millis(500);

/// How to tell that a child is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It accepts connections and speaks first, as the broker does.
    Greeting(SocketAddr),
    /// It accepts connections.
    Listens(SocketAddr),
    /// `GET /healthz` answers 200.
    Healthy(SocketAddr),
    /// Its log has a line with this word.
    Says(&'static str),
}

impl Probe {
    /// Whether it is ready now. `log` is what it wrote since it was started.
    pub(crate) fn holds(self, log: &Path, from: u64) -> bool {
        match self {
            Self::Greeting(address) => {
                let mut greeting = [0_u8; 4];
                connect(address).is_some_and(|mut socket| socket.read_exact(&mut greeting).is_ok())
            }
            Self::Listens(address) => connect(address).is_some(),
            Self::Healthy(address) => is_healthy(address).is_some(),
            Self::Says(word) => std::fs::read(log).is_ok_and(|text| {
                let new = text.get(from as usize..).unwrap_or_default();
                String::from_utf8_lossy(new).split(|c: char| !c.is_alphanumeric()).any(|said| said == word)
            }),
        }
    }
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, WAIT).ok()?;
    socket.set_read_timeout(Some(WAIT)).ok()?;
    Some(socket)
}

fn is_healthy(address: SocketAddr) -> Option<()> {
    let mut socket = connect(address)?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut status = [0_u8; 12];
    socket.read_exact(&mut status).ok()?;
    (&status[9..] == b"200").then_some(())
}
