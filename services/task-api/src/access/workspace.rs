//! Stored workspaces, and the first of them.

use anneal_domain::{Name, id::WorkspaceId};
use anneal_runtime::Secret;
use anneal_store::{Sql, Store, Tx};
use sea_orm::{FromQueryResult, Value};

use super::{NewKey, Role, key, key_row, make};
use crate::{
    Error,
    store::{all, for_update, one},
};

/// A workspace.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct WorkspaceRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at_ms: i64,
}

/// The first workspace, `default`: its admins run the platform.
pub(crate) const DEFAULT_WORKSPACE: WorkspaceId = WorkspaceId::from_u128(1);

/// Makes the workspace `default` and its first admin's key, when they are not there yet.
pub(crate) async fn bootstrap(store: &Store, secret: &Secret) -> Result<(), Error> {
    let known = if secret.is_empty() {
        None
    } else {
        let (id, secret) = key::split(secret.expose()).ok_or_else(|| {
            Error::Malformed("bootstrap_key is no key: `anneal_<32 hex digits>_<secret>`".to_owned())
        })?;
        Some(NewKey { id, text: String::new(), secret_sha256: key::hash(secret) })
    };
    store
        .transaction(move |tx| async move {
            if find(&*tx, DEFAULT_WORKSPACE).await?.is_none() {
                insert(&tx, DEFAULT_WORKSPACE, "default").await?;
            }
            if let Some(key) = known {
                let id = key.id.to_string();
                if tx.row("SELECT id FROM api_keys WHERE id = $1", [id.into()]).await?.is_none() {
                    key_row::insert(&tx, DEFAULT_WORKSPACE, &key, "bootstrap", Role::Admin, None).await?;
                }
            }
            Ok(())
        })
        .await
}

/// A workspace by id.
pub(crate) async fn find(db: &impl Sql, id: WorkspaceId) -> Result<Option<WorkspaceRow>, Error> {
    one(db, "SELECT id, name, created_at_ms FROM workspaces WHERE id = $1", [id.to_string().into()]).await
}

/// Workspaces, or this one alone; newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    only: Option<WorkspaceId>,
    before: Option<WorkspaceId>,
    limit: u32,
) -> Result<Vec<WorkspaceRow>, Error> {
    let mut sql = "SELECT id, name, created_at_ms FROM workspaces WHERE 1 = 1".to_owned();
    let mut values: Vec<Value> = Vec::new();
    for (condition, id) in [("id =", only), ("id <", before)] {
        if let Some(id) = id {
            values.push(id.to_string().into());
            sql = format!("{sql} AND {condition} ${}", values.len());
        }
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// Makes a workspace with an admin's key of its own.
pub(crate) async fn add(tx: &Tx, name: &Name) -> Result<(WorkspaceRow, NewKey), Error> {
    let id = WorkspaceId::new();
    insert(tx, id, name.as_ref()).await?;
    let key = make();
    key_row::insert(tx, id, &key, "admin", Role::Admin, None).await?;
    Ok((known(tx, id).await?, key))
}

async fn insert(tx: &Tx, id: WorkspaceId, name: &str) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO workspaces (id, name, created_at_ms) VALUES ($1, $2, $3)",
        [id.to_string().into(), name.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Gives a workspace another name.
pub(crate) async fn rename(tx: &Tx, id: WorkspaceId, name: &Name) -> Result<WorkspaceRow, Error> {
    let sql = "UPDATE workspaces SET name = $1 WHERE id = $2";
    tx.run(sql, [name.to_string().into(), id.to_string().into()]).await?;
    known(tx, id).await
}

/// Removes an empty workspace with its users and keys. Its ledger stays.
pub(crate) async fn remove(tx: &Tx, id: WorkspaceId) -> Result<(), Error> {
    known(tx, id).await?;
    if id == DEFAULT_WORKSPACE {
        return Err(Error::conflict("the first workspace stays"));
    }
    lock(tx, id).await?;
    for (rows, what) in [
        ("tasks WHERE workspace = $1", "tasks"),
        ("models WHERE workspace = $1", "models"),
        ("datasets WHERE workspace = $1", "datasets"),
        ("deployments WHERE workspace = $1 AND state <> 'stopped'", "deployments"),
    ] {
        let sql = format!("SELECT id FROM {rows} LIMIT 1");
        if tx.row(&sql, [id.to_string().into()]).await?.is_some() {
            return Err(Error::conflict(format!("the workspace still has {what}: delete them first")));
        }
    }
    for table in ["api_keys", "users", "idempotency", "deployments"] {
        tx.run(&format!("DELETE FROM {table} WHERE workspace = $1"), [id.to_string().into()]).await?;
    }
    tx.run("DELETE FROM workspaces WHERE id = $1", [id.to_string().into()]).await?;
    Ok(())
}

async fn known(tx: &Tx, id: WorkspaceId) -> Result<WorkspaceRow, Error> {
    find(&**tx, id).await?.ok_or_else(|| Error::not_found("workspace"))
}

/// Holds other changes of who may do what in this workspace back, to the end of the transaction.
pub(super) async fn lock(tx: &Tx, id: WorkspaceId) -> Result<(), Error> {
    let sql = format!("SELECT id FROM workspaces WHERE id = $1{}", for_update(tx));
    tx.row(&sql, [id.to_string().into()]).await?;
    Ok(())
}

/// Refuses a change that left nobody who may let others in.
pub(super) async fn has_admin(tx: &Tx, id: WorkspaceId) -> Result<(), Error> {
    let sql = "SELECT k.id FROM api_keys k LEFT JOIN users u ON u.id = k.user_id
               WHERE k.workspace = $1 AND k.revoked_at_ms IS NULL AND k.role = 'admin'
                 AND (k.user_id IS NULL OR u.role = 'admin') LIMIT 1";
    match tx.row(sql, [id.to_string().into()]).await? {
        Some(_) => Ok(()),
        None => Err(Error::conflict("no key of an admin would be left: make another one first")),
    }
}
