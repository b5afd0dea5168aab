//! Where each service listens: its usual port on loopback, or a free one when that is taken.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::StackError;

/// Where each service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) api: SocketAddr,
    pub(crate) nats: SocketAddr,
    pub(crate) objects: SocketAddr,
    pub(crate) inference: SocketAddr,
}

impl Ports {
    /// Chooses; only the API's address may be given, and then it must be free.
    pub(crate) fn choose(api: Option<SocketAddr>) -> Result<Self, StackError> {
        let api = match api {
            Some(address) if is_free(address) => address,
            Some(address) => return Err(StackError::PortTaken(address)),
            None => usual(7480)?,
        };
        Ok(Self { api, nats: usual(7422)?, objects: usual(7400)?, inference: usual(7484)? })
    }

    /// Base URL of the HTTP API for a client on this machine.
    pub(crate) fn url(&self) -> String {
        let mut address = self.api;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }
}

fn usual(port: u16) -> Result<SocketAddr, StackError> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if is_free(usual) {
        return Ok(usual);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}
