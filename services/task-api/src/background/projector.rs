//! Reads the streams into the projections, a batch a transaction; a message that can never be applied is set aside alone.

use std::{collections::BTreeSet, time::Duration};

use anneal_bus::{Delivery, Outcome};
use anneal_contracts::{Envelope, event::AnyTaskEvent, stream::Consumer, telemetry::LogWritten};
use anneal_runtime::CancellationToken;
use anneal_store::{Store, Tx};

use crate::{
    App, Error,
    projections::{self, Telemetry},
    wakes::About,
};

const BATCH: usize = 64;
const AGAIN: Duration = Duration::from_secs(1);

/// Progress, metrics and log lines.
pub(super) async fn telemetry(app: App, stop: CancellationToken) -> Result<(), Error> {
    let bus = app.bus.clone();
    bus.consume_batches(Consumer::telemetry(), BATCH, stop, |batch| {
        let app = app.clone();
        async move {
            let news: BTreeSet<About> = batch.iter().filter_map(log_of).collect();
            let outcomes = project(&app.store, &batch, read_telemetry, |tx, message| async move {
                projections::apply_telemetry(&tx, &message).await
            });
            let outcomes = outcomes.await;
            for about in news {
                app.wakes.wake(about);
            }
            outcomes
        }
    })
    .await;
    Ok(())
}

/// Facts, into the log that SSE serves.
pub(super) async fn events(app: App, stop: CancellationToken) -> Result<(), Error> {
    let bus = app.bus.clone();
    bus.consume_batches(Consumer::event_log(), BATCH, stop, |batch| {
        let app = app.clone();
        async move {
            let news: BTreeSet<About> =
                batch.iter().map(|delivery| About::Facts(delivery.envelope.workspace)).collect();
            let outcomes = project(&app.store, &batch, read_event, |tx, (envelope, event)| async move {
                projections::apply_event(&tx, &envelope, event).await.map(drop)
            });
            let outcomes = outcomes.await;
            for about in news {
                app.wakes.wake(about);
            }
            outcomes
        }
    })
    .await;
    Ok(())
}

fn read_telemetry(delivery: &Delivery) -> Result<Telemetry, String> {
    let message = Telemetry::parse(&delivery.envelope.kind, &delivery.payload)?;
    let same = delivery.envelope.subject == message.task().to_string();
    if same { Ok(message) } else { Err("its envelope is about another task".to_owned()) }
}

fn read_event(delivery: &Delivery) -> Result<(Envelope, AnyTaskEvent), String> {
    let event: AnyTaskEvent = delivery.parse().map_err(|error| error.to_string())?;
    Ok((delivery.envelope.clone(), event))
}

/// The log that a message adds to.
fn log_of(delivery: &Delivery) -> Option<About> {
    let envelope = &delivery.envelope;
    let task = envelope.subject.parse().ok()?;
    (envelope.kind == LogWritten::TYPE).then_some(About::Log(task))
}

/// Reads a batch and applies what reads in one transaction; when one of it can never be applied, each in its own.
async fn project<M, F, Fut>(
    store: &Store,
    batch: &[Delivery],
    read: fn(&Delivery) -> Result<M, String>,
    apply: F,
) -> Vec<Outcome>
where
    M: Clone + Send + 'static,
    F: Fn(Tx, M) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let read: Vec<Result<M, String>> = batch.iter().map(read).collect();
    let messages = read.iter().flatten().cloned().collect();
    let together = apply_all(store, messages, apply).await;
    let mut outcomes = Vec::with_capacity(read.len());
    for message in read {
        outcomes.push(match (message, &together) {
            (Err(reason), _) => Outcome::Reject(reason),
            (Ok(_), Ok(())) => Outcome::Done,
            (Ok(_), Err(error)) if error.is_retryable() => Outcome::Retry(AGAIN),
            (Ok(message), Err(_)) => match apply_all(store, vec![message], apply).await {
                Ok(()) => Outcome::Done,
                Err(error) if error.is_retryable() => Outcome::Retry(AGAIN),
                Err(error) => Outcome::Reject(error.to_string()),
            },
        });
    }
    outcomes
}

async fn apply_all<M, F, Fut>(store: &Store, messages: Vec<M>, apply: F) -> Result<(), Error>
where
    M: Send + 'static,
    F: Fn(Tx, M) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let applied = store.transaction(move |tx| async move {
        for message in messages {
            apply(tx.clone(), message).await?;
        }
        Ok(())
    });
    applied.await.inspect_err(|error| tracing::warn!(%error, "a projection failed"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_contracts::Trace;
    use anneal_domain::id::{EventId, TaskId, WorkspaceId};
    use anneal_store::Sql;

    use super::*;

    fn delivery(body: &str) -> Delivery {
        let envelope = Envelope {
            id: EventId::new(),
            kind: "anneal.test.v1".to_owned(),
            source: "/test".to_owned(),
            subject: TaskId::new().to_string(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            workspace: WorkspaceId::new(),
            epoch: 1,
            seq: 1,
            trace: Trace::fresh(),
        };
        let payload = serde_json::to_vec(body).unwrap().into();
        Delivery { envelope, subject: String::new(), payload, sequence: 1, delivered: 1 }
    }

    async fn apply(tx: Tx, name: String) -> Result<(), Error> {
        if name == "poison" {
            return Err(Error::stored("poison"));
        }
        let sql = "INSERT INTO workspaces (id, name, created_at_ms) VALUES ($1, $1, 0)";
        tx.run(sql, [name.into()]).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_message_that_can_never_be_applied_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("p.db").display());
        let store = Store::connect(&url).await.unwrap();
        store.migrate(crate::store::migrations).await.unwrap();
        let batch = ["one", "poison", "two"].map(delivery);
        let read = |delivery: &Delivery| delivery.parse().map_err(|error| error.to_string());
        let outcomes = project(&store, &batch, read, apply).await;
        assert_eq!(outcomes[0], Outcome::Done);
        assert!(matches!(outcomes[1], Outcome::Reject(_)));
        assert_eq!(outcomes[2], Outcome::Done);
        let rows =
            store.read().rows("SELECT id FROM workspaces WHERE id IN ('one', 'two')", []).await.unwrap();
        assert_eq!(rows.len(), 2);
    }
}
