//! The audit: every charge of a workspace recomputed from the streams themselves, apart from the books.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anneal_bus::Bus;
use anneal_contracts::{
    rpc::{AuditReply, AuditRow},
    stream,
};
use anneal_domain::{
    Microcredits,
    id::{EventId, TaskId, WorkspaceId},
};

use crate::{
    Billing, Error,
    consume::{Fact, read_event, read_usage},
    metering::{Bill, Terms, TimedFact},
    store,
};

/// Facts on their way are waited for this often.
const ATTEMPTS: usize = 5;
const BETWEEN: Duration = Duration::from_millis(700);
/// A reply is at most a megabyte.
const MOST_ROWS: usize = 4_000;

/// What the books hold of a workspace at one moment.
struct Books {
    charged: BTreeMap<TaskId, Microcredits>,
    terms: BTreeMap<TaskId, Terms>,
    facts: BTreeMap<EventId, TimedFact>,
}

impl Billing {
    /// Reads `USAGE` and `EVENTS` from their start, recomputes every charge of the workspace and compares it with
    /// the ledger.
    ///
    /// A fact in a stream that was not charged for counts, once it was given a few seconds to arrive. A fact that was
    /// charged for and is no longer in a stream (it was wiped) is taken from billing's own journal.
    pub(crate) async fn audit(&self, bus: &Bus, workspace: WorkspaceId) -> Result<AuditReply, Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let streamed = read_streams(bus, workspace).await?;
            let books = self.books(workspace).await?;
            let late = streamed.keys().filter(|event| !books.facts.contains_key(event)).count();
            if late == 0 || attempt == ATTEMPTS {
                if late > 0 {
                    tracing::warn!(late, "facts in the streams are not charged for yet");
                }
                return compare(workspace, &books, &streamed);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    async fn books(&self, workspace: WorkspaceId) -> Result<Books, Error> {
        self.store
            .transaction(move |tx| async move {
                let charged = store::charged_by_task(&*tx, workspace).await?;
                let terms = store::terms_by_task(&*tx, workspace).await?;
                Ok(Books { charged, terms, facts: store::facts_of(&*tx, workspace).await? })
            })
            .await
    }
}

async fn read_streams(bus: &Bus, workspace: WorkspaceId) -> Result<BTreeMap<EventId, TimedFact>, Error> {
    let mut facts = BTreeMap::new();
    let mut keep = |read: Result<Option<Fact>, String>| {
        if let Ok(Some((event, of, fact))) = read
            && of == workspace
        {
            facts.insert(event, fact);
        }
    };
    bus.replay(&stream::USAGE, |delivery| keep(read_usage(&delivery))).await?;
    bus.replay(&stream::EVENTS, |delivery| keep(read_event(&delivery))).await?;
    Ok(facts)
}

fn compare(
    workspace: WorkspaceId,
    books: &Books,
    streamed: &BTreeMap<EventId, TimedFact>,
) -> Result<AuditReply, Error> {
    let mut bills: BTreeMap<TaskId, Bill> = BTreeMap::new();
    let lost = books.facts.iter().filter(|(event, _)| !streamed.contains_key(event)).map(|(_, fact)| fact);
    for fact in streamed.values().chain(lost) {
        bills.entry(fact.task).or_insert_with(|| Bill::new(fact.task, workspace)).learn(fact);
    }
    for (task, bill) in &mut bills {
        // The fact of the launch was lost with its stream: the hold that was placed before it says the same.
        bill.terms = bill.terms.or_else(|| books.terms.get(task).copied());
    }
    let tasks: BTreeSet<TaskId> = bills.keys().chain(books.charged.keys()).copied().collect();
    let mut difference = Microcredits::ZERO;
    let mut rows = Vec::with_capacity(tasks.len());
    for task in tasks {
        let charged = books.charged.get(&task).copied().unwrap_or_default();
        let recomputed = bills.get(&task).map_or(Ok(Microcredits::ZERO), Bill::target)?;
        let off = charged.checked_sub(recomputed).ok_or(Error::Overflow)?;
        difference = difference.checked_add(Microcredits(off.0.saturating_abs())).ok_or(Error::Overflow)?;
        rows.push(AuditRow { task, charged, recomputed });
    }
    rows.sort_by_key(|row| (row.charged == row.recomputed, std::cmp::Reverse(row.task)));
    rows.truncate(MOST_ROWS);
    Ok(AuditReply { rows, difference })
}
