//! The log of facts that is served over SSE: in the order in which they were read, which never changes once written.

use anneal_contracts::{Envelope, event::AnyTaskEvent};
use anneal_store::{Sql, Tx};

use crate::{Error, store::to_json};

/// Adds a fact to the log, once; whether it was new. A fact about a task that is not there (any more) is dropped: a late one
/// does not bring a deleted task's log back.
pub(crate) async fn apply(tx: &Tx, envelope: &Envelope, event: AnyTaskEvent) -> Result<bool, Error> {
    let sql = "SELECT 1 AS known FROM tasks WHERE id = $1";
    if tx.row(sql, [envelope.subject.clone().into()]).await?.is_none() {
        return Ok(false);
    }
    let inserted = tx
        .run(
            "INSERT INTO event_log (event_id, workspace, task, type, time, epoch, seq, traceparent, event)
             SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), $8, $9
             WHERE EXISTS (SELECT 1 FROM tasks WHERE id = $3)
             ON CONFLICT (event_id) DO NOTHING",
            [
                envelope.id.to_string().into(),
                envelope.workspace.to_string().into(),
                envelope.subject.clone().into(),
                envelope.kind.clone().into(),
                envelope.time.clone().into(),
                i64::try_from(envelope.epoch).unwrap_or(i64::MAX).into(),
                i64::try_from(envelope.seq).unwrap_or(i64::MAX).into(),
                envelope.trace.to_string().into(),
                to_json(&event.upgrade())?.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}
