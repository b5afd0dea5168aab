//! Messages that leave with the transaction that made them.
//!
//! [`append`] writes a row in the caller's transaction; the [`Relay`] publishes rows in order, waits for the broker to
//! have stored each, and marks it sent. A crash in between publishes it again under the same id, which every consumer's
//! inbox drops. Sent rows are kept for a day: a broker that lost what it had stored is sent them again.

mod loss;
mod message;
mod publish;
mod relay;

pub use message::OutboxMessage;
pub use publish::{Mark, Publish, PublishError};
pub use relay::Relay;

use crate::{Error, Sql, Tx};

/// Adds a message to the outbox; it is published once the transaction is committed.
pub async fn append(tx: &Tx, message: OutboxMessage) -> Result<(), Error> {
    let headers = serde_json::to_string(&message.headers).map_err(|error| Error::Row(error.to_string()))?;
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO outbox (lane, subject, headers, payload, created_at_ms) VALUES ($1, $2, $3, $4, $5)",
        [
            message.lane().into(),
            message.subject.clone().into(),
            headers.into(),
            message.payload.clone().into(),
            now.into(),
        ],
    )
    .await?;
    tx.mark_appended();
    Ok(())
}
