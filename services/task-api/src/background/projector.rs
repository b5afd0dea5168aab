//! Reads the streams into the projections, a batch a transaction.

use std::{collections::BTreeSet, time::Duration};

use anneal_bus::{Delivery, Outcome};
use anneal_contracts::{Envelope, event::AnyTaskEvent, stream::Consumer, telemetry::LogWritten};
use anneal_runtime::CancellationToken;

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
            let read = |delivery: &Delivery| {
                let message = Telemetry::parse(&delivery.envelope.kind, &delivery.payload)?;
                let same = delivery.envelope.subject == message.task().to_string();
                if same { Ok(message) } else { Err("its envelope is about another task".to_owned()) }
            };
            let news: BTreeSet<About> = batch.iter().filter_map(log_of).collect();
            let outcomes = project(&app, batch, read, |tx, messages: Vec<Telemetry>| async move {
                for message in &messages {
                    projections::apply_telemetry(&tx, message).await?;
                }
                Ok(())
            })
            .await;
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
            let read = |delivery: &Delivery| {
                let event: AnyTaskEvent = delivery.parse().map_err(|error| error.to_string())?;
                Ok((delivery.envelope.clone(), event))
            };
            let news: BTreeSet<About> =
                batch.iter().map(|delivery| About::Facts(delivery.envelope.workspace)).collect();
            let outcomes =
                project(&app, batch, read, |tx, facts: Vec<(Envelope, AnyTaskEvent)>| async move {
                    for (envelope, event) in facts {
                        projections::apply_event(&tx, &envelope, event).await?;
                    }
                    Ok(())
                })
                .await;
            for about in news {
                app.wakes.wake(about);
            }
            outcomes
        }
    })
    .await;
    Ok(())
}

/// The log that a message adds to.
fn log_of(delivery: &Delivery) -> Option<About> {
    let envelope = &delivery.envelope;
    let task = envelope.subject.parse().ok()?;
    (envelope.kind == LogWritten::TYPE).then_some(About::Log(task))
}

/// Reads a batch and applies what reads in one transaction; what does not is rejected, one by one.
async fn project<M, F, Fut>(
    app: &App,
    batch: Vec<Delivery>,
    read: impl Fn(&Delivery) -> Result<M, String>,
    apply: F,
) -> Vec<Outcome>
where
    M: Send + 'static,
    F: FnOnce(anneal_store::Tx, Vec<M>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut messages = Vec::with_capacity(batch.len());
    let mut rejected: Vec<Option<String>> = Vec::with_capacity(batch.len());
    for delivery in &batch {
        match read(delivery) {
            Ok(message) => {
                messages.push(message);
                rejected.push(None);
            }
            Err(reason) => rejected.push(Some(reason)),
        }
    }
    let applied = app.transaction(move |tx| async move { apply(tx, messages).await }).await;
    if let Err(error) = &applied {
        tracing::warn!(%error, "a projection failed; its messages come again");
    }
    let outcome = |reason| match (reason, &applied) {
        (Some(reason), _) => Outcome::Reject(reason),
        (None, Ok(())) => Outcome::Done,
        (None, Err(_)) => Outcome::Retry(AGAIN),
    };
    rejected.into_iter().map(outcome).collect()
}
