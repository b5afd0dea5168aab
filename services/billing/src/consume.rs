//! Reads the facts: events and usage, each batch in one transaction, acknowledged after its commit.

use std::time::Duration;

use anneal_bus::{Bus, Delivery, Outcome};
use anneal_contracts::{event::AnyTaskEvent, stream::Consumer, usage::UsageReported};
use anneal_domain::id::{EventId, WorkspaceId};
use anneal_runtime::{fail, tasks::Supervisor};

use crate::{Billing, Error, metering::TimedFact, store};

const BATCH: usize = 64;
const AGAIN: Duration = Duration::from_secs(1);

/// A fact as it was delivered.
pub(crate) type Fact = (EventId, WorkspaceId, TimedFact);

/// Starts both consumers.
pub(crate) fn spawn(billing: &Billing, bus: &Bus, tasks: &Supervisor) {
    start(billing, bus, tasks, "events", Consumer::billing_events(), read_event);
    start(billing, bus, tasks, "usage", Consumer::billing_usage(), read_usage);
}

type Read = fn(&Delivery) -> Result<Option<Fact>, String>;

fn start(
    billing: &Billing,
    bus: &Bus,
    tasks: &Supervisor,
    name: &'static str,
    durable: Consumer,
    read: Read,
) {
    let (billing, bus, stop) = (billing.clone(), bus.clone(), tasks.shutdown());
    tasks.spawn(name, async move {
        let handler = move |deliveries: Vec<Delivery>| {
            let billing = billing.clone();
            async move { billing.take(name, &deliveries, read).await }
        };
        bus.consume_batches(durable, BATCH, stop, handler).await;
        Ok::<_, Error>(())
    });
}

/// The fact in a message of the `EVENTS` stream, if it decides a charge.
pub(crate) fn read_event(delivery: &Delivery) -> Result<Option<Fact>, String> {
    let event: AnyTaskEvent = delivery.parse().map_err(|error| error.to_string())?;
    let envelope = &delivery.envelope;
    let fact = TimedFact::of_event(&event.upgrade(), envelope);
    Ok(fact.map(|fact| (envelope.id, envelope.workspace, fact)))
}

/// The fact in a message of the `USAGE` stream.
pub(crate) fn read_usage(delivery: &Delivery) -> Result<Option<Fact>, String> {
    let usage: UsageReported = delivery.parse().map_err(|error| error.to_string())?;
    let envelope = &delivery.envelope;
    Ok(Some((envelope.id, envelope.workspace, TimedFact::of_usage(&usage, envelope))))
}

impl Billing {
    async fn take(&self, consumer: &'static str, deliveries: &[Delivery], read: Read) -> Vec<Outcome> {
        let read: Vec<_> = deliveries.iter().map(read).collect();
        let facts: Vec<Fact> = read.iter().filter_map(|r| r.as_ref().ok().cloned().flatten()).collect();
        let together = self.take_facts(consumer, facts.clone()).await;
        fail::point("billing.after_tx_before_ack");
        let mut outcomes = Vec::with_capacity(read.len());
        for read in read {
            outcomes.push(match (read, &together) {
                (Err(reason), _) => Outcome::Reject(reason),
                (Ok(None), _) | (Ok(Some(_)), Ok(())) => Outcome::Done,
                (Ok(Some(_)), Err(error)) if is_transient(error) => Outcome::Retry(AGAIN),
                // One of the batch can never be taken; the others must not wait for it.
                (Ok(Some(fact)), Err(_)) => self.take_alone(consumer, fact).await,
            });
        }
        outcomes
    }

    async fn take_alone(&self, consumer: &'static str, fact: Fact) -> Outcome {
        match self.take_facts(consumer, vec![fact]).await {
            Ok(()) => Outcome::Done,
            Err(error) if is_transient(&error) => Outcome::Retry(AGAIN),
            Err(error) => {
                tracing::error!(%error, consumer, "a fact can never be charged for");
                Outcome::Reject(error.to_string())
            }
        }
    }

    /// Takes facts into the books, all of them or none.
    pub async fn take_facts(
        &self,
        consumer: &'static str,
        facts: Vec<(EventId, WorkspaceId, TimedFact)>,
    ) -> Result<(), Error> {
        if facts.is_empty() {
            return Ok(());
        }
        let billing = self.clone();
        let taken = self.store.transaction(move |tx| async move {
            store::lock(&tx, facts.iter().map(|(_, workspace, _)| *workspace).collect()).await?;
            for fact in &facts {
                billing.apply(&tx, consumer, fact).await?;
            }
            Ok::<_, Error>(())
        });
        taken.await.inspect_err(|error| tracing::warn!(%error, consumer, "facts were not taken"))
    }
}

/// A full disk, a locked or absent database: it will pass, and money is never dropped for it.
fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Store(_) | Error::Bus(_))
}
