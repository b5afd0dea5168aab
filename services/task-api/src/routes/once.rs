//! A creating request that comes twice under one `Idempotency-Key` creates once and is answered alike.

use std::str::FromStr;

use anneal_store::Tx;

use crate::{
    App, Error,
    http::{Caller, id},
    tasks::{self, IdempotencyKey},
};

/// The request's key, and what an earlier request under it created.
pub(super) struct Once {
    key: Option<IdempotencyKey>,
    known: Option<String>,
}

impl Once {
    /// Looks the request up; the same key with another body is refused.
    pub(super) async fn of(
        app: &App,
        caller: &Caller,
        route: &'static str,
        body: &[u8],
    ) -> Result<Self, Error> {
        let key = IdempotencyKey::new(caller.workspace, caller.idempotency_key.as_deref(), route, body)?;
        let known = tasks::find_idempotent(app.store.read(), key.as_ref()).await?;
        Ok(Self { key, known })
    }

    /// The id of what was created before.
    pub(super) fn known<Id: FromStr>(&self, what: &'static str) -> Result<Option<Id>, Error> {
        self.known.as_deref().map(|known| id(known, what)).transpose()
    }

    /// Notes what is created, in its transaction.
    pub(super) async fn remember(&self, tx: &Tx, created: &str) -> Result<(), Error> {
        match &self.key {
            Some(key) => tasks::remember(tx, key, created).await,
            None => Ok(()),
        }
    }
}
