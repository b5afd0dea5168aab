//! One connection to the broker, kept up for ever.

use std::{fmt, time::Duration};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event,
    connection::State,
    jetstream::{self, context::ContextBuilder},
};
use tokio::sync::watch;

use crate::{BusConfig, BusError};

/// A stopped server still reads as connected until two pings went unanswered.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// A publish or a broker request that is not acknowledged by then is an error; it may still have taken hold.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// A connection to the broker. Clones share it.
#[derive(Clone)]
pub struct Bus {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    /// Counts connections, so that pulls that died with an old one are asked anew at once.
    pub(crate) connections: watch::Receiver<u64>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("state", &self.client.connection_state()).finish_non_exhaustive()
    }
}

impl Bus {
    /// Connects as `name` (shown in the broker's monitoring). Tries for ever while the broker is away; wrong credentials
    /// and an unusable address are errors at once. Once connected, it reconnects for ever.
    pub async fn connect(config: &BusConfig, name: &str) -> Result<Self, BusError> {
        let addresses = addresses(&config.url)?;
        let (count, connections) = watch::channel(0_u64);
        let mut delay = Duration::from_millis(50);
        loop {
            let options = options(config, name, count.clone());
            match options.connect(addresses.as_slice()).await {
                Ok(client) => {
                    let jetstream = ContextBuilder::new()
                        .timeout(ACK_TIMEOUT)
                        .ack_timeout(ACK_TIMEOUT)
                        .build(client.clone());
                    return Ok(Self { client, jetstream, connections });
                }
                Err(error) => match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        return Err(BusError::Credentials(config.user.clone()));
                    }
                    ConnectErrorKind::ServerParse => return Err(BusError::Address(config.url.clone())),
                    _ => tracing::info!(%error, "the broker is not reachable yet"),
                },
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_RECONNECT_DELAY);
        }
    }

    /// Whether the connection is up, as far as the client knows.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until everything published so far (core notices too) was written to the broker.
    pub async fn flush(&self) -> Result<(), BusError> {
        self.client.flush().await.map_err(BusError::broker)
    }
}

fn addresses(text: &str) -> Result<Vec<async_nats::ServerAddr>, BusError> {
    text.split(',').map(|part| part.trim().parse().map_err(|_| BusError::Address(text.to_owned()))).collect()
}

fn options(config: &BusConfig, name: &str, count: watch::Sender<u64>) -> ConnectOptions {
    let options = ConnectOptions::new()
        .name(name)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_secs(10)))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let doubled = 50_u64.saturating_mul(1 << attempts.min(8));
            Duration::from_millis(doubled).min(LONGEST_RECONNECT_DELAY)
        })
        .event_callback(move |event| {
            match &event {
                Event::Connected => count.send_modify(|n| *n += 1),
                Event::SlowConsumer(_) => tracing::error!(%event, "messages were dropped by a slow reader"),
                _ => tracing::warn!(%event, "broker connection"),
            }
            std::future::ready(())
        });
    if config.user.is_empty() {
        options
    } else {
        options.user_and_password(config.user.clone(), config.password.expose().to_owned())
    }
}
