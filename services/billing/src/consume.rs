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
                (Ok(Some(_)), Err(error)) if error.is_transient() => Outcome::Retry(AGAIN),
                // One of the batch can never be taken; the others must not wait for it.
                (Ok(Some(fact)), Err(_)) => self.take_alone(consumer, fact).await,
            });
        }
        outcomes
    }

    async fn take_alone(&self, consumer: &'static str, fact: Fact) -> Outcome {
        match self.take_facts(consumer, vec![fact]).await {
            Ok(()) => Outcome::Done,
            Err(error) if error.is_transient() => Outcome::Retry(AGAIN),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_contracts::Trace;
    use anneal_domain::{
        Microcredits,
        id::TaskId,
        spec::{Pool, TaskKind},
    };
    use anneal_runtime::clock::rfc3339;
    use anneal_store::TimeSource;

    use super::*;
    use crate::{
        Config,
        ledger::{Entry, Reason},
    };

    fn usage(workspace: WorkspaceId) -> Delivery {
        let usage = UsageReported {
            task: TaskId::new(),
            kind: TaskKind::Training,
            pool: Pool::Fast,
            epoch: 1,
            seq: 1,
            running_ms: 1_000,
            rate_per_hour: Microcredits(1),
            last: false,
        };
        let envelope = anneal_contracts::Envelope {
            id: EventId::new(),
            kind: UsageReported::TYPE.to_owned(),
            source: "/test".to_owned(),
            subject: usage.task.to_string(),
            time: rfc3339(1_800_000_000_000),
            workspace,
            epoch: 1,
            seq: 1,
            trace: Trace::fresh(),
        };
        let payload = serde_json::to_vec(&usage).unwrap().into();
        Delivery { envelope, subject: String::new(), payload, sequence: 1, delivered: 1 }
    }

    /// What was posted under a fact's own operation key before can never be taken: it is set aside, and its neighbours count.
    #[tokio::test]
    async fn a_fact_that_can_never_be_taken_is_set_aside_and_the_others_count() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("b.db").display());
        let config = Config { database: crate::config::Database { url }, ..Config::default() };
        let billing = Billing::open(&config, TimeSource::Database).await.unwrap();
        let workspace = WorkspaceId::new();
        let poison = usage(workspace);
        let event = poison.envelope.id;
        let task: TaskId = poison.parse::<UsageReported>().unwrap().task;
        let inner = billing.clone();
        let begun = billing.store.transaction(move |tx| async move {
            inner.first_sight(&tx, workspace).await?;
            let mut bill = crate::metering::Bill::new(task, workspace);
            bill.terms = Some(crate::metering::Terms::Metered);
            bill.place(anneal_domain::id::HoldId::new(), Microcredits(5)).unwrap();
            bill.state = crate::metering::State::Closed;
            store::save(&tx, &bill, None).await?;
            let entry = Entry {
                operation: format!("{event}/0/release"),
                reason: Reason::TopUp,
                workspace,
                task: None,
                amount: Microcredits(1),
            };
            store::post(&tx, &entry).await?;
            Ok::<_, Error>(())
        });
        begun.await.unwrap();
        let good = usage(workspace);
        let outcomes = billing.take("usage", &[poison, good.clone()], read_usage).await;
        assert!(
            matches!(&outcomes[0], Outcome::Reject(reason) if reason.contains("posted before")),
            "{outcomes:?}"
        );
        assert_eq!(outcomes[1], Outcome::Done);
        assert_eq!(billing.take("usage", &[good], read_usage).await, [Outcome::Done]);
    }
}
