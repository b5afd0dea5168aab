//! A creating request that comes twice under one `Idempotency-Key` creates once.

use anneal_domain::id::WorkspaceId;
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;
use sha2::{Digest, Sha256};

use crate::{Error, store::one};

/// Whose request this is, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    workspace: WorkspaceId,
    text: String,
    route: &'static str,
    body_sha256: String,
}

impl Key {
    /// The key of a request; none when the header is absent.
    pub(crate) fn new(
        workspace: WorkspaceId,
        header: Option<&str>,
        route: &'static str,
        body: &[u8],
    ) -> Result<Option<Self>, Error> {
        let Some(key) = header else { return Ok(None) };
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::field(
                "Idempotency-Key",
                "1 to 255 printable ASCII characters without spaces",
            ));
        }
        let body_sha256 = hex::encode(Sha256::digest(body));
        Ok(Some(Self { workspace, text: key.to_owned(), route, body_sha256 }))
    }
}

/// What the first request under this key created; the same key with another body is refused.
pub(crate) async fn find(db: &impl Sql, key: Option<&Key>) -> Result<Option<String>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        route: String,
        body_sha256: String,
        resource: String,
    }
    let Some(key) = key else { return Ok(None) };
    let sql =
        "SELECT route, body_sha256, resource FROM idempotency WHERE workspace = $1 AND idempotency_key = $2";
    let found: Option<Row> =
        one(db, sql, [key.workspace.to_string().into(), key.text.clone().into()]).await?;
    match found {
        None => Ok(None),
        Some(row) if row.route == key.route && row.body_sha256 == key.body_sha256 => Ok(Some(row.resource)),
        Some(_) => Err(Error::field(
            "Idempotency-Key",
            "was used for another request: take a new key for a new request",
        )),
    }
}

/// Notes what the request created, in its transaction. A second one of the same key fails here and is rolled back.
pub(crate) async fn remember(tx: &Tx, key: &Key, resource: &str) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    let inserted = tx
        .run(
            "INSERT INTO idempotency (workspace, idempotency_key, route, body_sha256, resource, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, idempotency_key) DO NOTHING",
            [
                key.workspace.to_string().into(),
                key.text.clone().into(),
                key.route.into(),
                key.body_sha256.clone().into(),
                resource.into(),
                now.into(),
            ],
        )
        .await?;
    if inserted == 1 {
        Ok(())
    } else {
        Err(Error::conflict("a request of the same Idempotency-Key is under way"))
    }
}
