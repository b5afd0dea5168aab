//! Stored users: who is behind a key, and the most that their keys may do.

use anneal_domain::{
    Name,
    id::{UserId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use super::{Email, Role, workspace};
use crate::{
    Error,
    store::{all, one},
};

/// A user.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) created_at_ms: i64,
}

impl UserRow {
    pub(crate) fn role(&self) -> Result<Role, Error> {
        Role::parse(&self.role).ok_or(Error::stored("role"))
    }
}

/// Users of a workspace, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    before: Option<UserId>,
    limit: u32,
) -> Result<Vec<UserRow>, Error> {
    let mut sql = "SELECT id, email, name, role, created_at_ms FROM users WHERE workspace = $1".to_owned();
    let mut values: Vec<Value> = vec![workspace.to_string().into()];
    if let Some(before) = before {
        sql.push_str(" AND id < $2");
        values.push(before.to_string().into());
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// The user of this workspace.
pub(crate) async fn find(db: &impl Sql, workspace: WorkspaceId, id: UserId) -> Result<UserRow, Error> {
    let sql = "SELECT id, email, name, role, created_at_ms FROM users WHERE id = $1 AND workspace = $2";
    let row = one(db, sql, [id.to_string().into(), workspace.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("user"))
}

/// Adds a user; an address that is there already is a conflict.
pub(crate) async fn add(
    tx: &Tx,
    workspace: WorkspaceId,
    email: &Email,
    name: &Name,
    role: Role,
) -> Result<UserRow, Error> {
    let now = tx.now_ms().await?;
    let user = UserRow {
        id: UserId::new().to_string(),
        email: email.as_ref().to_owned(),
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

/// Changes a user's name or role; the keys of the user may do no more from the next request on.
pub(crate) async fn change(
    tx: &Tx,
    workspace: WorkspaceId,
    id: UserId,
    name: Option<&Name>,
    role: Option<Role>,
) -> Result<UserRow, Error> {
    workspace::lock(tx, workspace).await?;
    let mut user = find(&**tx, workspace, id).await?;
    if let Some(name) = name {
        user.name = name.to_string();
    }
    if let Some(role) = role {
        role.as_str().clone_into(&mut user.role);
    }
    let values = [user.name.clone().into(), user.role.clone().into(), user.id.clone().into()];
    tx.run("UPDATE users SET name = $1, role = $2 WHERE id = $3", values).await?;
    workspace::has_admin(tx, workspace).await?;
    Ok(user)
}

/// Removes a user and revokes the user's keys.
pub(crate) async fn remove(tx: &Tx, workspace: WorkspaceId, id: UserId) -> Result<(), Error> {
    workspace::lock(tx, workspace).await?;
    let user = find(&**tx, workspace, id).await?;
    let now = tx.now_ms().await?;
    let sql = "UPDATE api_keys SET revoked_at_ms = $1 WHERE user_id = $2 AND revoked_at_ms IS NULL";
    tx.run(sql, [now.into(), user.id.clone().into()]).await?;
    tx.run("DELETE FROM users WHERE id = $1", [user.id.into()]).await?;
    workspace::has_admin(tx, workspace).await
}
