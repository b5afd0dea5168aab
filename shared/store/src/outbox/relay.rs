//! Publishes the outbox, in order, for as long as the service lives.

use std::{collections::BTreeSet, time::Duration};

use anneal_runtime::{CancellationToken, fail};
use sea_orm::{QueryResult, Value};

use super::{OutboxMessage, Publish, PublishError};
use crate::{Error, Sql, Store};

const BATCH: u64 = 64;
const POLL: Duration = Duration::from_secs(1);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// Publishes a service's outbox. Several may run on one database: messages are then published more than once, which is
/// harmless.
#[derive(Debug)]
pub struct Relay {
    store: Store,
    keep_sent: Duration,
}

struct Waiting {
    id: i64,
    lane: String,
    message: OutboxMessage,
}

/// What one pass over the outbox did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pass {
    blocked: usize,
}

impl Relay {
    /// A relay of this store's outbox that keeps sent messages for an hour.
    pub fn new(store: Store) -> Self {
        Self { store, keep_sent: Duration::from_secs(3600) }
    }

    /// Keeps sent messages for this long.
    #[must_use]
    pub fn keep_sent(mut self, keep: Duration) -> Self {
        self.keep_sent = keep;
        self
    }

    /// Publishes until `shutdown`. It never gives up: a broker or database that is away is tried again.
    pub async fn run<P: Publish>(self, publisher: P, shutdown: CancellationToken) -> Result<(), Error> {
        let mut backoff = BACKOFF_FIRST;
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let grew = self.store.outbox_grew();
        while !shutdown.is_cancelled() {
            let wait = match self.publish_waiting(&publisher).await {
                Ok(pass) if pass.blocked == 0 => {
                    backoff = BACKOFF_FIRST;
                    POLL
                }
                Ok(_) => longer(&mut backoff),
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read or marked; trying again");
                    longer(&mut backoff)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = grew.notified() => {}
                () = tokio::time::sleep(wait) => {}
                _ = prune.tick() => self.prune().await,
            }
        }
        Ok(())
    }

    /// Publishes what waits until nothing more can go.
    async fn publish_waiting(&self, publisher: &impl Publish) -> Result<Pass, Error> {
        let mut blocked = BTreeSet::new();
        loop {
            let batch = self.waiting(&blocked).await?;
            if batch.is_empty() {
                return Ok(Pass { blocked: blocked.len() });
            }
            let mut done = Vec::new();
            for Waiting { id, lane, message } in batch {
                if blocked.contains(&lane) {
                    continue;
                }
                fail::point("relay.before_publish");
                match publisher.publish(&message).await {
                    Ok(()) => done.push(id),
                    Err(PublishError::Later(reason)) => {
                        tracing::warn!(lane, reason, "the outbox waits");
                        blocked.insert(lane);
                    }
                    Err(PublishError::Never(reason)) => self.set_aside(id, &message.subject, reason).await?,
                }
                fail::point("relay.after_puback");
            }
            self.mark_sent(done).await?;
        }
    }

    async fn waiting(&self, blocked: &BTreeSet<String>) -> Result<Vec<Waiting>, Error> {
        let mut sql = "SELECT id, lane, subject, headers, payload FROM outbox
             WHERE sent_at_ms IS NULL AND refusal IS NULL"
            .to_owned();
        if !blocked.is_empty() {
            let places: Vec<String> = (1..=blocked.len()).map(|n| format!("${n}")).collect();
            sql = format!("{sql} AND lane NOT IN ({})", places.join(", "));
        }
        sql = format!("{sql} ORDER BY id LIMIT {BATCH}");
        let lanes: Vec<Value> = blocked.iter().map(|lane| lane.clone().into()).collect();
        self.store.read().rows(&sql, lanes).await?.iter().map(read_row).collect()
    }

    async fn mark_sent(&self, ids: Vec<i64>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        self.store
            .transaction(move |tx| async move {
                let now = tx.now_ms().await?;
                let list: Vec<String> = ids.iter().map(i64::to_string).collect();
                let sql = format!("UPDATE outbox SET sent_at_ms = $1 WHERE id IN ({})", list.join(", "));
                tx.run(&sql, [now.into()]).await?;
                Ok(())
            })
            .await
    }

    async fn set_aside(&self, id: i64, subject: &str, reason: String) -> Result<(), Error> {
        tracing::error!(id, subject, reason, "an outbox message can never be published and was set aside");
        self.store
            .transaction(move |tx| async move {
                tx.run("UPDATE outbox SET refusal = $1 WHERE id = $2", [reason.into(), id.into()]).await?;
                Ok(())
            })
            .await
    }

    async fn prune(&self) {
        let keep_ms = i64::try_from(self.keep_sent.as_millis()).unwrap_or(i64::MAX);
        let pruned = self
            .store
            .transaction(move |tx| async move {
                let before = tx.now_ms().await?.saturating_sub(keep_ms);
                Ok::<_, Error>(tx.run("DELETE FROM outbox WHERE sent_at_ms < $1", [before.into()]).await?)
            })
            .await;
        if let Err(error) = pruned {
            tracing::warn!(%error, "sent outbox messages could not be pruned");
        }
    }
}

/// The wait to take now; the next one is twice as long.
fn longer(backoff: &mut Duration) -> Duration {
    let now = *backoff;
    *backoff = BACKOFF_MOST.min(now * 2);
    now
}

fn read_row(row: &QueryResult) -> Result<Waiting, Error> {
    let headers: String = row.try_get("", "headers")?;
    Ok(Waiting {
        id: row.try_get("", "id")?,
        lane: row.try_get("", "lane")?,
        message: OutboxMessage {
            subject: row.try_get("", "subject")?,
            headers: serde_json::from_str(&headers).map_err(|error| Error::Row(error.to_string()))?,
            payload: row.try_get("", "payload")?,
        },
    })
}
