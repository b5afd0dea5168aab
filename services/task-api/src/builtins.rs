//! The platform's own models and datasets: registered in the first workspace, used from every one, changed in its own alone.

use anneal_domain::id::WorkspaceId;
use anneal_store::{Sql, Tx};

use crate::{Error, access::DEFAULT_WORKSPACE};

/// The workspace that holds them, as a value of a query.
pub(crate) fn home() -> sea_orm::Value {
    DEFAULT_WORKSPACE.to_string().into()
}

/// Refuses while another workspace works with it: an unfinished task, or an adapter that needs it as its base. Whose it is,
/// is nobody's business.
pub(crate) async fn unused_elsewhere(tx: &Tx, workspace: WorkspaceId, id: &str) -> Result<(), Error> {
    if workspace != DEFAULT_WORKSPACE {
        return Ok(());
    }
    let sql =
        "SELECT id FROM models WHERE base_model = $1 AND format = 'adapter' AND workspace <> $2 LIMIT 1";
    let adapter = tx.row(sql, [id.into(), home()]).await?;
    let sql = "SELECT id FROM tasks WHERE workspace <> $1 AND finished_at_ms IS NULL
                 AND (spec LIKE $2 OR inputs LIKE $2) LIMIT 1";
    let task = tx.row(sql, [home(), format!("%{id}%").into()]).await?;
    if adapter.is_some() || task.is_some() {
        return Err(Error::conflict("another workspace works with it"));
    }
    Ok(())
}
