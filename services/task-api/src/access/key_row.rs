//! Stored API keys: whose they are and what they open, never their secret.

use anneal_domain::{
    Name,
    id::{ApiKeyId, UserId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use super::{NewKey, Role, make, user, workspace};
use crate::{
    Error,
    store::{all, one},
};

/// A key without its secret.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) user_id: Option<String>,
    pub(crate) created_at_ms: i64,
}

const SELECT: &str = "SELECT id, name, role, user_id, created_at_ms FROM api_keys
  WHERE workspace = $1 AND revoked_at_ms IS NULL";

/// Keys of a workspace that open something, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    before: Option<ApiKeyId>,
    limit: u32,
) -> Result<Vec<KeyRow>, Error> {
    let mut sql = SELECT.to_owned();
    let mut values: Vec<Value> = vec![workspace.to_string().into()];
    if let Some(before) = before {
        sql.push_str(" AND id < $2");
        values.push(before.to_string().into());
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// The key of this workspace, while it opens something.
pub(crate) async fn find(db: &impl Sql, workspace: WorkspaceId, id: ApiKeyId) -> Result<KeyRow, Error> {
    let sql = format!("{SELECT} AND id = $2");
    let row = one(db, &sql, [workspace.to_string().into(), id.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("API key"))
}

/// Makes a key; one of a user never does more than the user may.
pub(crate) async fn add(
    tx: &Tx,
    workspace: WorkspaceId,
    name: &Name,
    role: Role,
    user: Option<UserId>,
) -> Result<NewKey, Error> {
    if let Some(user) = user {
        let owner = match user::find(&**tx, workspace, user).await {
            Err(Error::NotFound(_)) => {
                return Err(Error::field("user", "there is no such user in this workspace"));
            }
            other => other?,
        };
        if role > owner.role()? {
            return Err(Error::field("role", format!("is more than the user's own, `{}`", owner.role)));
        }
    }
    let key = make();
    insert(tx, workspace, &key, name.as_ref(), role, user).await?;
    Ok(key)
}

pub(super) async fn insert(
    tx: &Tx,
    workspace: WorkspaceId,
    key: &NewKey,
    name: &str,
    role: Role,
    user: Option<UserId>,
) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO api_keys (id, workspace, user_id, name, role, secret_sha256, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            key.id.to_string().into(),
            workspace.to_string().into(),
            user.map(|user| user.to_string()).into(),
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
pub(crate) async fn revoke(tx: &Tx, workspace: WorkspaceId, id: ApiKeyId) -> Result<(), Error> {
    workspace::lock(tx, workspace).await?;
    let now = tx.now_ms().await?;
    let sql =
        "UPDATE api_keys SET revoked_at_ms = $1 WHERE id = $2 AND workspace = $3 AND revoked_at_ms IS NULL";
    match tx.run(sql, [now.into(), id.to_string().into(), workspace.to_string().into()]).await? {
        0 => Err(Error::not_found("API key")),
        _ => workspace::has_admin(tx, workspace).await,
    }
}
