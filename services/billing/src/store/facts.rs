//! The journal of facts that were charged for: what an audit falls back on when the stream itself was lost.

use std::collections::BTreeMap;

use anneal_domain::id::{EventId, WorkspaceId};
use anneal_store::{Sql, Tx};
use sea_orm::ConnectionTrait;

use super::postings::{text_id, unusable};
use crate::{Error, metering::TimedFact};

/// Writes a fact down.
pub async fn record(tx: &Tx, event: EventId, workspace: WorkspaceId, fact: &TimedFact) -> Result<(), Error> {
    let body = serde_json::to_string(fact).map_err(|error| Error::Message(error.to_string()))?;
    tx.run(
        "INSERT INTO facts (event_id, workspace, body) VALUES ($1, $2, $3) ON CONFLICT (event_id) DO NOTHING",
        [event.to_string().into(), workspace.to_string().into(), body.into()],
    )
    .await?;
    Ok(())
}

/// Every fact that was charged for.
pub async fn all<C: ConnectionTrait>(db: &C) -> Result<BTreeMap<EventId, (WorkspaceId, TimedFact)>, Error> {
    let rows = db.rows("SELECT event_id, workspace, body FROM facts", []).await?;
    rows.iter()
        .map(|row| {
            let body: String = row.try_get("", "body")?;
            let fact = serde_json::from_str(&body).map_err(|_| unusable("body"))?;
            Ok((text_id(row, "event_id")?, (text_id(row, "workspace")?, fact)))
        })
        .collect()
}
