//! API keys: `anneal_<id>_<secret>`. The secret has 256 random bits; only its SHA-256 is stored, and it is compared in
//! constant time.

use anneal_domain::id::{ApiKeyId, WorkspaceId};
use anneal_store::Sql;
use sea_orm::FromQueryResult;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Role;
use crate::{Error, store::one};

/// A key that was just made: its text is shown once.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) id: ApiKeyId,
    pub(crate) text: String,
    pub(crate) secret_sha256: String,
}

/// A fresh key.
pub(crate) fn make() -> NewKey {
    let secret: [u8; 32] = rand::random();
    let id = ApiKeyId::new();
    let secret = hex::encode(secret);
    let text = format!("anneal_{:032x}_{secret}", id.as_u128());
    NewKey { id, text, secret_sha256: hash(&secret) }
}

pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Splits a key's text into its id and its secret.
pub(super) fn split(text: &str) -> Option<(ApiKeyId, &str)> {
    let (id, secret) = text.strip_prefix("anneal_")?.split_once('_')?;
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    if id.len() != 32 || secret.is_empty() || secret.len() > 128 || !plain(secret) {
        return None;
    }
    Some((format!("{}-{id}", ApiKeyId::PREFIX).parse().ok()?, secret))
}

/// Whose key this is; a wrong, revoked or cut one is unauthorized.
pub(crate) async fn authenticate(db: &impl Sql, text: &str) -> Result<(ApiKeyId, WorkspaceId, Role), Error> {
    #[derive(FromQueryResult)]
    struct Row {
        workspace: String,
        role: String,
        secret_sha256: String,
        user_id: Option<String>,
        user_role: Option<String>,
    }
    let (id, secret) = split(text).ok_or(Error::Unauthorized)?;
    let sql = "SELECT k.workspace, k.role, k.secret_sha256, k.user_id, u.role AS user_role
               FROM api_keys k LEFT JOIN users u ON u.id = k.user_id
               WHERE k.id = $1 AND k.revoked_at_ms IS NULL";
    let row: Row = one(db, sql, [id.to_string().into()]).await?.ok_or(Error::Unauthorized)?;
    if !bool::from(hash(secret).as_bytes().ct_eq(row.secret_sha256.as_bytes())) {
        return Err(Error::Unauthorized);
    }
    let workspace = row.workspace.parse().map_err(|_| Error::stored("workspace id"))?;
    let role = |text: &str| Role::parse(text).ok_or(Error::stored("role"));
    let own = role(&row.role)?;
    // A user's key does what the user may, and nothing when the user is gone.
    let role = match (row.user_id, row.user_role) {
        (None, _) => own,
        (Some(_), Some(users)) => own.min(role(&users)?),
        (Some(_), None) => return Err(Error::Unauthorized),
    };
    Ok((id, workspace, role))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_whole_keys_are_split() {
        let key = make();
        let (id, secret) = split(&key.text).unwrap();
        assert_eq!((id, hash(secret)), (key.id, key.secret_sha256.clone()));
        let cut = &key.text[..key.text.len() - 70];
        for bad in [
            "",
            "anneal_",
            "anneal_1_2",
            "anneal__",
            cut,
            &key.text.replace('_', "-"),
            &format!("{}.", key.text),
        ] {
            assert!(split(bad).is_none(), "{bad}");
        }
    }
}
