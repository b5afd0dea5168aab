//! Stored workspaces, users and keys.

use anneal_domain::{
    Name,
    id::{ApiKeyId, UserId, WorkspaceId},
};
use anneal_runtime::Secret;
use anneal_store::{Sql, Store, Tx};
use sea_orm::FromQueryResult;

use super::{NewKey, Role, key, make};
use crate::{
    Error,
    store::{all, one},
};

/// A workspace.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct WorkspaceRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at_ms: i64,
}

/// A user.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) created_at_ms: i64,
}

/// A key without its secret.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) created_at_ms: i64,
}

/// The first workspace, `default`.
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
            if workspace(&*tx, DEFAULT_WORKSPACE).await?.is_none() {
                insert_workspace(&tx, DEFAULT_WORKSPACE, "default").await?;
            }
            if let Some(key) = known {
                let id = key.id.to_string();
                if tx.row("SELECT id FROM api_keys WHERE id = $1", [id.into()]).await?.is_none() {
                    insert_key(&tx, DEFAULT_WORKSPACE, &key, "bootstrap", Role::Admin).await?;
                }
            }
            Ok(())
        })
        .await
}

/// A workspace by id.
pub(crate) async fn workspace(db: &impl Sql, id: WorkspaceId) -> Result<Option<WorkspaceRow>, Error> {
    one(db, "SELECT id, name, created_at_ms FROM workspaces WHERE id = $1", [id.to_string().into()]).await
}

/// Makes a workspace with an admin's key of its own.
pub(crate) async fn add_workspace(tx: &Tx, name: &Name) -> Result<(WorkspaceRow, NewKey), Error> {
    let id = WorkspaceId::new();
    insert_workspace(tx, id, name.as_ref()).await?;
    let key = make();
    insert_key(tx, id, &key, "admin", Role::Admin).await?;
    let row = workspace(&**tx, id).await?.ok_or(Error::stored("workspace"))?;
    Ok((row, key))
}

async fn insert_workspace(tx: &Tx, id: WorkspaceId, name: &str) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO workspaces (id, name, created_at_ms) VALUES ($1, $2, $3)",
        [id.to_string().into(), name.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Users of a workspace.
pub(crate) async fn users(db: &impl Sql, workspace: WorkspaceId) -> Result<Vec<UserRow>, Error> {
    let sql = "SELECT id, email, name, role, created_at_ms FROM users WHERE workspace = $1 ORDER BY id";
    all(db, sql, [workspace.to_string().into()]).await
}

/// Adds a user; an address that is there already is a conflict.
pub(crate) async fn add_user(
    tx: &Tx,
    workspace: WorkspaceId,
    email: &str,
    name: &Name,
    role: Role,
) -> Result<UserRow, Error> {
    let now = tx.now_ms().await?;
    let user = UserRow {
        id: UserId::new().to_string(),
        email: email.to_owned(),
        name: name.to_string(),
        role: role.as_str().to_owned(),
        created_at_ms: now,
    };
    let inserted = tx
        .run(
            "INSERT INTO users (id, workspace, email, name, role, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (workspace, email) DO NOTHING",
            [
                user.id.clone().into(),
                workspace.to_string().into(),
                user.email.clone().into(),
                user.name.clone().into(),
                user.role.clone().into(),
                now.into(),
            ],
        )
        .await?;
    if inserted == 1 { Ok(user) } else { Err(Error::conflict("a user of this workspace has this address")) }
}

/// Removes a user.
pub(crate) async fn remove_user(tx: &Tx, workspace: WorkspaceId, id: UserId) -> Result<(), Error> {
    let sql = "DELETE FROM users WHERE id = $1 AND workspace = $2";
    match tx.run(sql, [id.to_string().into(), workspace.to_string().into()]).await? {
        0 => Err(Error::not_found("user")),
        _ => Ok(()),
    }
}

/// Keys of a workspace that open something.
pub(crate) async fn keys(db: &impl Sql, workspace: WorkspaceId) -> Result<Vec<KeyRow>, Error> {
    let sql =
        "SELECT id, name, role, created_at_ms FROM api_keys WHERE workspace = $1 AND revoked_at_ms IS NULL
               ORDER BY id";
    all(db, sql, [workspace.to_string().into()]).await
}

/// Makes a key.
pub(crate) async fn add_key(
    tx: &Tx,
    workspace: WorkspaceId,
    name: &Name,
    role: Role,
) -> Result<NewKey, Error> {
    let key = make();
    insert_key(tx, workspace, &key, name.as_ref(), role).await?;
    Ok(key)
}

async fn insert_key(
    tx: &Tx,
    workspace: WorkspaceId,
    key: &NewKey,
    name: &str,
    role: Role,
) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO api_keys (id, workspace, name, role, secret_sha256, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
        [
            key.id.to_string().into(),
            workspace.to_string().into(),
            name.into(),
            role.as_str().into(),
            key.secret_sha256.clone().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Revokes a key: from the next request on it opens nothing.
pub(crate) async fn revoke_key(tx: &Tx, workspace: WorkspaceId, id: ApiKeyId) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    let sql =
        "UPDATE api_keys SET revoked_at_ms = $1 WHERE id = $2 AND workspace = $3 AND revoked_at_ms IS NULL";
    match tx.run(sql, [now.into(), id.to_string().into(), workspace.to_string().into()]).await? {
        0 => Err(Error::not_found("API key")),
        _ => Ok(()),
    }
}
