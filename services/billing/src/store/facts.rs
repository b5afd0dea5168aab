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

/// Every fact of a workspace that was charged for.
pub async fn of_workspace<C: ConnectionTrait>(
    db: &C,
    workspace: WorkspaceId,
) -> Result<BTreeMap<EventId, TimedFact>, Error> {
    let sql = "SELECT event_id, body FROM facts WHERE workspace = $1";
    let rows = db.rows(sql, [workspace.to_string().into()]).await?;
    rows.iter()
        .map(|row| {
            let body: String = row.try_get("", "body")?;
            let fact = serde_json::from_str(&body).map_err(|_| unusable("body"))?;
            Ok((text_id(row, "event_id")?, fact))
        })
        .collect()
}
