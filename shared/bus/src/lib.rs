//! The only user of async-nats: publish, consume, acknowledge, dead letters, request and reply.
//!
//! Handlers return an [`Outcome`]; only this room acknowledges. It deliberately knows nothing of what a message means:
//! subjects, streams and payload types are those of `anneal-contracts`.

mod config;
mod connection;
mod consumer;
mod dead_letter;
mod delivery;
mod error;
mod headers;
mod notice;
mod publish;
mod replay;
mod request;
mod serve;
mod streams;

pub use config::BusConfig;
pub use connection::Bus;
pub use consumer::Consumer;
pub use delivery::{Delivery, Dispatch, Outcome};
pub use error::{BusError, RequestError};
pub use notice::Notices;
pub use serve::Request;
