//! Publishes the outbox, in order, for as long as the service lives.

use std::{collections::BTreeSet, time::Duration};

use anneal_runtime::{CancellationToken, fail};
use sea_orm::{QueryResult, Value};
use tokio::time::Instant;

use super::{OutboxMessage, Publish, PublishError, loss::LossWatch};
use crate::{Error, Sql, Store};

const BATCH: u64 = 64;
const POLL: Duration = Duration::from_secs(1);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether the broker still has what it was given.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A lane that cannot be published for this long is said to the people who run the service, again and again.
const ALERT_AFTER: Duration = Duration::from_secs(60);
const KEEP_SENT: Duration = Duration::from_hours(24);

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

impl Relay {
    /// A relay of this store's outbox that keeps sent messages for a day.
    pub fn new(store: Store) -> Self {
        Self { store, keep_sent: KEEP_SENT }
    }

    /// Keeps sent messages for this long: a consumer may be this far behind when the broker loses what it stored.
    #[must_use]
    pub fn keep_sent(mut self, keep: Duration) -> Self {
        self.keep_sent = keep;
        self
    }

    /// Publishes until `shutdown`. It never gives up: a broker or database that is away is tried again.
    pub async fn run<P: Publish>(self, publisher: P, shutdown: CancellationToken) -> Result<(), Error> {
        let mut backoff = BACKOFF_FIRST;
        let mut stuck_since: Option<Instant> = None;
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut losses = LossWatch::new(self.store.clone());
        let grew = self.store.outbox_grew();
        while !shutdown.is_cancelled() {
            let wait = match self.publish_waiting(&publisher, &mut losses).await {
                Ok(blocked) if blocked.is_empty() => {
                    (backoff, stuck_since) = (BACKOFF_FIRST, None);
                    POLL
                }
                Ok(blocked) => {
                    alert(&mut stuck_since, &blocked);
                    longer(&mut backoff)
                }
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
                _ = look.tick() => if let Err(error) = losses.look(&publisher).await {
                    tracing::warn!(%error, "what was sent cannot be looked at; trying again");
                },
            }
        }
        Ok(())
    }

    /// Publishes what waits until nothing more can go; the lanes that cannot be published now.
    async fn publish_waiting(
        &self,
        publisher: &impl Publish,
        losses: &mut LossWatch,
    ) -> Result<BTreeSet<String>, Error> {
        let mut blocked = BTreeSet::new();
        loop {
            let batch = self.waiting(&blocked).await?;
            if batch.is_empty() {
                return Ok(blocked);
            }
            let mut done = Vec::new();
            for Waiting { id, lane, message } in batch {
                if blocked.contains(&lane) {
                    continue;
                }
                let published = match losses.before_publishing(publisher, &lane).await? {
                    Ok(()) => publish(publisher, &message).await,
                    Err(error) => Err(error),
                };
                match published {
                    Ok(()) => done.push(id),
                    Err(PublishError::Later(reason)) => {
                        tracing::warn!(lane, reason, "the outbox waits");
                        blocked.insert(lane);
                    }
                    Err(PublishError::Never(reason)) => self.set_aside(id, &message.subject, reason).await?,
                }
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

async fn publish(publisher: &impl Publish, message: &OutboxMessage) -> Result<(), PublishError> {
    fail::point("relay.before_publish");
    publisher.publish(message).await?;
    fail::point("relay.after_puback");
    Ok(())
}

fn alert(stuck_since: &mut Option<Instant>, blocked: &BTreeSet<String>) {
    let since = *stuck_since.get_or_insert_with(Instant::now);
    if since.elapsed() >= ALERT_AFTER {
        tracing::error!(
            ?blocked,
            "messages have waited in the outbox for a minute: the broker is full or away"
        );
        *stuck_since = None;
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
