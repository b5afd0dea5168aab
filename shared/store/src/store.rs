//! One service's database.

use std::{future::Future, sync::Arc};

use anneal_runtime::tasks;
use sea_orm::{DatabaseConnection, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::sync::Notify;

use crate::{
    Error, Migrations, TimeSource, Tx,
    connect::{self, Connections},
    migrations,
};

/// A service's database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    connections: Connections,
    time: TimeSource,
    outbox: Arc<Notify>,
}

impl Store {
    /// Opens `sqlite:///path/name.db?mode=rwc` or `postgres://…`, with the database's own time.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(url, TimeSource::Database).await
    }

    /// As [`Store::connect`], with a given time.
    pub async fn connect_with(url: &str, time: TimeSource) -> Result<Self, Error> {
        Ok(Self { connections: connect::open(url).await?, time, outbox: Arc::default() })
    }

    /// Brings the schema up to date: the outbox and the inbox, then the service's own list. All or nothing; several
    /// processes may do it at once.
    pub async fn migrate(&self, list: Migrations) -> Result<(), Error> {
        self.transaction(move |tx| async move { migrations::run(&tx, list).await }).await
    }

    /// For queries outside a transaction. Never use it inside [`Store::transaction`]: ask the transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.connections.reader
    }

    /// The database's time, in milliseconds since 1970-01-01 UTC.
    pub async fn now_ms(&self) -> Result<i64, Error> {
        self.time.now_ms(self.read()).await
    }

    /// Runs `work` in a transaction: committed when it gives `Ok`, rolled back when it gives an error or panics.
    ///
    /// It runs in a task of its own: a caller that goes away (a request whose client left) does not cancel it half way, and
    /// the transaction then still ends by its own outcome.
    pub async fn transaction<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let store = self.clone();
        let outcome = tasks::spawn("transaction", async move { store.transact(work).await }).await;
        match outcome {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(Error::Interrupted.into()),
        }
    }

    async fn transact<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<Error>,
    {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let begun = self.connections.writer.begin_with_options(options).await;
        let tx = Tx::new(begun.map_err(Error::from)?, self.time.clone());
        match work(tx.clone()).await {
            Ok(value) => {
                if tx.commit().await? {
                    self.outbox.notify_one();
                }
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = tx.rollback().await {
                    tracing::warn!(error = %rollback, "a transaction could not be rolled back; its connection is dropped");
                }
                Err(error)
            }
        }
    }

    /// Woken after a commit that appended to the outbox.
    pub(crate) fn outbox_grew(&self) -> Arc<Notify> {
        Arc::clone(&self.outbox)
    }
}
