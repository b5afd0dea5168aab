//! Notices that a broker has lost what it had stored (it was wiped, or put back to an older copy), and has it sent again.
//!
//! A sent message says nothing of whether it was consumed, so all that are still kept are sent again: every consumer's inbox
//! drops what it knows.

use std::collections::BTreeSet;

use sea_orm::QueryResult;

use super::{Mark, Publish, PublishError};
use crate::{Error, Sql, Store, Tx};

/// Looks at the lanes' storages through a publisher.
#[derive(Debug)]
pub(super) struct LossWatch {
    store: Store,
    /// Lanes whose mark is noted.
    noted: BTreeSet<String>,
}

impl LossWatch {
    pub(super) fn new(store: Store) -> Self {
        Self { store, noted: BTreeSet::new() }
    }

    /// Looks at every lane that ever had a message. A broker that cannot be asked is asked again at the next look.
    pub(super) async fn look(&mut self, publisher: &impl Publish) -> Result<(), Error> {
        for row in self.store.read().rows("SELECT lane, made, last FROM outbox_marks", []).await? {
            let (lane, known) = (row.try_get("", "lane")?, read_mark(&row)?);
            if let Err(error) = self.look_at(publisher, lane, Some(known)).await? {
                tracing::warn!(%error, "it cannot be seen whether the broker lost messages");
            }
        }
        Ok(())
    }

    /// Notes the mark of a lane before its first message is published, or the loss of that one would go unnoticed.
    pub(super) async fn before_publishing(
        &mut self,
        publisher: &impl Publish,
        lane: &str,
    ) -> Result<Result<(), PublishError>, Error> {
        if self.noted.contains(lane) {
            return Ok(Ok(()));
        }
        let sql = "SELECT made, last FROM outbox_marks WHERE lane = $1";
        let row = self.store.read().row(sql, [lane.into()]).await?;
        let known = row.map(|row| read_mark(&row)).transpose()?;
        self.look_at(publisher, lane.to_owned(), known).await
    }

    /// What is known was read before the broker is asked: another relay may note a later mark meanwhile.
    async fn look_at(
        &mut self,
        publisher: &impl Publish,
        lane: String,
        known: Option<Mark>,
    ) -> Result<Result<(), PublishError>, Error> {
        match publisher.mark(&lane).await {
            Ok(Some(mark)) if known.as_ref() != Some(&mark) => self.take(lane.clone(), known, mark).await?,
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        self.noted.insert(lane);
        Ok(Ok(()))
    }

    async fn take(&self, lane: String, known: Option<Mark>, mark: Mark) -> Result<(), Error> {
        self.store
            .transaction(move |tx| async move {
                if known.is_some_and(|known| mark.has_lost(&known)) {
                    let again = send_again(&tx, &lane).await?;
                    tracing::error!(
                        lane,
                        again,
                        "the broker lost stored messages: all that are kept are sent again"
                    );
                }
                note(&tx, &lane, &mark).await
            })
            .await
    }
}

fn read_mark(row: &QueryResult) -> Result<Mark, Error> {
    let last: i64 = row.try_get("", "last")?;
    Ok(Mark { made: row.try_get("", "made")?, last: last.unsigned_abs() })
}

async fn note(tx: &Tx, lane: &str, mark: &Mark) -> Result<(), Error> {
    let last = i64::try_from(mark.last).unwrap_or(i64::MAX);
    tx.run(
        "INSERT INTO outbox_marks (lane, made, last) VALUES ($1, $2, $3)
         ON CONFLICT (lane) DO UPDATE SET made = excluded.made, last = excluded.last",
        [lane.into(), mark.made.clone().into(), last.into()],
    )
    .await?;
    Ok(())
}

async fn send_again(tx: &Tx, lane: &str) -> Result<u64, Error> {
    let sql = "UPDATE outbox SET sent_at_ms = NULL WHERE lane = $1 AND sent_at_ms IS NOT NULL";
    Ok(tx.run(sql, [lane.into()]).await?)
}
