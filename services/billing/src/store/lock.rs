//! One writer a workspace: amounts are read, decided on and written without another in between.

use anneal_domain::id::WorkspaceId;
use anneal_store::{Sql, Tx};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::Error;

/// Holds these workspaces until the transaction ends. SQLite has one writer anyway; on PostgreSQL the locks are taken in one
/// order, so that two transactions never wait for each other.
pub async fn lock(tx: &Tx, mut workspaces: Vec<WorkspaceId>) -> Result<(), Error> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    workspaces.sort_unstable();
    workspaces.dedup();
    for workspace in workspaces {
        let bits = workspace.as_u128();
        let key = (bits as u64 ^ (bits >> 64) as u64) as i64;
        tx.run("SELECT pg_advisory_xact_lock($1)", [key.into()]).await?;
    }
    Ok(())
}
