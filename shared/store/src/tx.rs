//! A transaction in progress.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::DatabaseTransaction;

use crate::{Error, TimeSource};

/// A handle of the open transaction; give `&*tx` wherever sea-orm wants a connection.
///
/// Clones are the same transaction, and none may outlive the work that was given it.
#[derive(Clone, Debug)]
pub struct Tx {
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    db: DatabaseTransaction,
    time: TimeSource,
    appended: AtomicBool,
}

impl Tx {
    pub(crate) fn new(db: DatabaseTransaction, time: TimeSource) -> Self {
        Self { open: Arc::new(Open { db, time, appended: AtomicBool::new(false) }) }
    }

    /// The database's time, in milliseconds since 1970-01-01 UTC.
    pub async fn now_ms(&self) -> Result<i64, Error> {
        self.open.time.now_ms(&self.open.db).await
    }

    /// Notes that the outbox grew, so that the relay is woken after the commit.
    pub(crate) fn mark_appended(&self) {
        self.open.appended.store(true, Ordering::Relaxed);
    }

    /// Commits; whether the outbox grew.
    pub(crate) async fn commit(self) -> Result<bool, Error> {
        let open = Arc::into_inner(self.open).ok_or(Error::Escaped)?;
        open.db.commit().await?;
        Ok(open.appended.into_inner())
    }

    pub(crate) async fn rollback(self) -> Result<(), Error> {
        let open = Arc::into_inner(self.open).ok_or(Error::Escaped)?;
        Ok(open.db.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.open.db
    }
}
