//! Database plumbing: connect (SQLite or PostgreSQL), transactions, migrations, outbox, inbox.
//!
//! This room knows how a service talks to its own database and how effects leave and enter it exactly once. It
//! deliberately knows no service's tables and no broker: a service gives the [`outbox::Relay`] something that can
//! [`outbox::Publish`].
//!
//! ```no_run
//! # use anneal_store::{Error, Sql, Store, outbox::{self, OutboxMessage}};
//! # async fn example(message: OutboxMessage) -> Result<(), Error> {
//! let store = Store::connect("sqlite:///var/lib/anneal/task-api.db?mode=rwc").await?;
//! store.migrate(Vec::new).await?;
//! let rows: u64 = store
//!     .transaction(move |tx| async move {
//!         let rows = tx.run("UPDATE tasks SET state = $1 WHERE id = $2", ["queued".into(), 7_i64.into()]).await?;
//!         outbox::append(&tx, message).await?;
//!         Ok::<_, Error>(rows)
//!     })
//!     .await?;
//! # Ok(()) }
//! ```

mod connect;
mod error;
pub mod inbox;
mod migrations;
pub mod outbox;
mod sql;
mod store;
mod time;
mod tx;

pub use error::Error;
pub use migrations::Migrations;
pub use sql::Sql;
pub use store::Store;
pub use time::TimeSource;
pub use tx::Tx;
