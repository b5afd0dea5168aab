//! What was already seen: makes a message's effect happen once, however often it is delivered.

use anneal_domain::id::EventId;

use crate::{Error, Sql, Tx};

/// Whether `consumer` sees this event for the first time. Call it in the transaction of the effect: when the transaction
/// is rolled back, the event counts as unseen again.
pub async fn once(tx: &Tx, consumer: &str, event: EventId) -> Result<bool, Error> {
    let now = tx.now_ms().await?;
    let inserted = tx
        .run(
            "INSERT INTO inbox (consumer, event_id, seen_at_ms) VALUES ($1, $2, $3)
             ON CONFLICT (consumer, event_id) DO NOTHING",
            [consumer.into(), event.to_string().into(), now.into()],
        )
        .await?;
    Ok(inserted == 1)
}

/// Forgets a consumer's events, so that a projection can be rebuilt from the stream's start. How many there were.
pub async fn forget(tx: &Tx, consumer: &str) -> Result<u64, Error> {
    Ok(tx.run("DELETE FROM inbox WHERE consumer = $1", [consumer.into()]).await?)
}

/// Forgets events seen before this time: call it only with a time at which the stream itself has dropped them.
pub async fn prune(tx: &Tx, seen_before_ms: i64) -> Result<u64, Error> {
    Ok(tx.run("DELETE FROM inbox WHERE seen_at_ms < $1", [seen_before_ms.into()]).await?)
}
